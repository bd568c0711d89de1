"""Predictions painted over the images as the pipeline reads them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from mmengine.runner import Runner
from mmseg.engine.hooks import SegVisualizationHook
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from ..datasets.check import leaf_datasets
from ..datasets.reading import Reader


@HOOKS.register_module()
class PaintingHook(SegVisualizationHook):
    """MMSegmentation's SegVisualizationHook over images of any kind.

    That hook decodes each file again as 8-bit colour and turns it by its orientation.
    Here the image is read by the loader of the dataset's own pipeline. In a validation
    the first image of every `interval`-th batch is painted, in a test every image.

    Args:
        options: Those of SegVisualizationHook.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._painted = 0

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[SegDataSample] | None = None,
    ) -> None:
        """Paint one image."""
        step = runner.iter + batch_idx
        if self.draw and outputs and step % self.interval == 0:
            self._paint(runner.val_dataloader.dataset, outputs[0], 'val', step)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[SegDataSample] | None = None,
    ) -> None:
        """Paint every image."""
        for sample in (outputs or ()) if self.draw else ():
            self._painted += 1
            dataset = runner.test_dataloader.dataset
            self._paint(dataset, sample, 'test', self._painted)

    def _paint(
        self, dataset: Any, sample: SegDataSample, split: str, step: int
    ) -> None:
        reader = Reader.of(next(leaf_datasets(dataset)))
        self._visualizer.add_datasample(
            f'{split}_{os.path.basename(sample.img_path)}',
            reader.rgb({'img_path': sample.img_path}),
            data_sample=sample,
            show=self.show,
            wait_time=self.wait_time,
            step=step,
        )
