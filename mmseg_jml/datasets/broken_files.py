"""Errors of a pipeline that name the picture and the mask they are about."""

from __future__ import annotations

from typing import Any

from mmengine.dataset import Compose

from ..files import UnreadableError
from .check import leaf_datasets


class NamingCompose(Compose):
    """A Compose whose errors name the files.

    Decoders do not know what they decode: 'image file is truncated', one says.

    Args:
        pipeline: What it does.
    """

    def __init__(self, pipeline: Compose) -> None:
        self.transforms = pipeline.transforms

    def __call__(self, data: dict) -> dict | None:
        """Do it.

        Raises:
            UnreadableError: A transform fails; it is the cause.
        """
        paths = {
            'picture': data.get('img_path'),
            'mask': data.get('seg_map_path'),
        }
        try:
            return super().__call__(data)
        except Exception as error:  # decoders raise what they like
            named = ', '.join(f'{what} {path}' for what, path in paths.items() if path)
            raise UnreadableError(
                f'{named}: {type(error).__name__}: {error} (tools/check_dataset.py '
                'looks at every file of a config)'
            ) from error


def name_broken_files(dataset: Any) -> None:
    """Let errors of a data set's pipelines name the files; others stay as they are."""
    try:
        leaves = list(leaf_datasets(dataset))
    except TypeError:  # the user's own kind of data set
        return
    for leaf in leaves:
        if type(leaf.pipeline) is Compose:
            leaf.pipeline = NamingCompose(leaf.pipeline)
