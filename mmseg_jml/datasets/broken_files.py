"""Errors of a pipeline that name the image and the mask they are about."""

from __future__ import annotations

from typing import Any

from mmengine.dataset import Compose

from ..files import UnreadableError
from .check import leaf_datasets


class NamingCompose(Compose):
    """A Compose in which errors of its `Load...` transforms name the files.

    A decoder does not know the name of the file, and says only that an 'image file is
    truncated'.

    Args:
        pipeline: The pipeline to run.
    """

    def __init__(self, pipeline: Compose) -> None:
        self.transforms = pipeline.transforms

    def __call__(self, data: dict) -> dict | None:
        """Run the pipeline.

        Raises:
            UnreadableError: A file cannot be loaded; the original error is the cause.
                Errors of other transforms are not changed.
        """
        for transform in self.transforms:
            try:
                result = transform(data)
            except Exception as error:  # decoders raise what they like
                if not type(transform).__name__.startswith('Load'):
                    raise
                raise UnreadableError(_sentence(data, error)) from error
            if result is None:
                return None
            data = result
        return data


def _sentence(data: dict, error: Exception) -> str:
    named = {'image': data.get('img_path'), 'mask': data.get('seg_map_path')}
    files = ', '.join(f'{what} {path}' for what, path in named.items() if path)
    return (
        f'{files}: {type(error).__name__}: {error} (`python -m mmseg_jml check-dataset '
        'CONFIG` reads every file of a config)'
    )


def name_broken_files(dataset: Any) -> None:
    """Let errors of a dataset's pipelines name the files; others stay as they are."""
    try:
        leaves = list(leaf_datasets(dataset))
    except TypeError:  # the user's own kind of dataset
        return
    for leaf in leaves:
        if type(leaf.pipeline) is Compose:
            leaf.pipeline = NamingCompose(leaf.pipeline)
