"""Predicted label maps as PNG files, in the subfolders that the images have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from ..datasets.check import leaf_datasets
from ..datasets.files import png
from ..evaluation.image_names import names_below_common_folder
from ..files import write_whole


@HOOKS.register_module()
class LabelMapHook(Hook):
    """Writes the predicted label map of every tested image as a PNG file.

    A map has the path of its image, relative to the folder that holds all images of the
    test, so that images with the same file name in different subfolders keep a map
    each. The ids are those of the dataset's mask files: with `reduce_zero_label=True`
    they start at 1.

    Args:
        output_dir: The folder to write to.

    Raises:
        ValueError: When the test starts, if two images would share one file because
            their paths differ only in the suffix.
    """

    def __init__(self, *, output_dir: str) -> None:
        self.output_dir = Path(output_dir)
        self._files: dict[str, Path] = {}

    def before_test(self, runner: Runner) -> None:
        """Choose a file for every image before any of them is predicted."""
        leaves = leaf_datasets(runner.test_dataloader.dataset)
        paths = [
            leaf.get_data_info(index)['img_path']
            for leaf in leaves
            for index in range(len(leaf))
        ]
        self._files = label_map_files(paths)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[SegDataSample] | None = None,
    ) -> None:
        """Write the label maps of a batch."""
        for sample in outputs or ():
            label = sample.pred_sem_seg.data.squeeze(0).cpu().numpy()
            if sample.get('reduce_zero_label', False):
                label = label + 1
            path = self.output_dir / self._files[sample.img_path]
            write_whole(path, png(label.astype(np.uint8)))


def label_map_files(paths: Sequence[str]) -> dict[str, Path]:
    """The relative path of the label map of each image.

    Raises:
        ValueError: Two images would share one file.

    >>> label_map_files(['val/a/1.jpg', 'val/b/1.jpg'])['val/b/1.jpg'].as_posix()
    'b/1.png'
    """
    files: dict[str, Path] = {}
    image_of: dict[Path, str] = {}
    for path, name in zip(paths, names_below_common_folder(paths), strict=True):
        files[path] = Path(PurePosixPath(name).with_suffix('.png'))
        other = image_of.setdefault(files[path], path)
        if other != path:
            raise ValueError(
                f'the label maps of {other} and {path} would both be written to '
                f'{files[path]}: rename one of the images, or test without `--out`'
            )
    return files
