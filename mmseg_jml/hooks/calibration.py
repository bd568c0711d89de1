"""Reliability diagrams, bins, confidence and error maps after each evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.dist import collect_results, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample
from PIL import Image

from ..datasets.check import leaf_of
from ..datasets.reading import Reader
from ..evaluation import CalibrationMetric
from ..files import whole_file
from ..functional.uncertainty import class_probs, confidence_map
from ..visualization import prediction_sheet, reliability_diagram, write_bin_tables

FOLDER = 'calibration'
PANELS = {  # what the metric calls its tables, or what that begins with
    'all': 'all pixels',
    'boundary': 'boundary pixels',
    'interior': 'interior pixels',
    'class/': 'predicted as ',
    'classwise/': 'probability of ',
}


class _Maps(NamedTuple):
    path: str
    label: np.ndarray
    prediction: np.ndarray
    confidence: np.ndarray


@HOOKS.register_module()
class CalibrationHook(Hook):
    """Draws the results of the evaluator's CalibrationMetric after each val and test.

    The hook writes `<when>_reliability.png`, `<when>_bins.csv` (one row for each bin)
    and `<when>_pictures.png` (the confidence and the errors of some images). `<when>`
    is the split with the iteration or epoch, as in `val_iter_3000`, or with the file
    name of the tested checkpoint. The files of a validation are in `calibration/` in
    the work dir. Those of a test are in `calibration/` in the folder of its log, so
    that another checkpoint with the same name does not overwrite them. Both figures
    also go to the visualizer's backends. Each file is written completely or not at all,
    and only by the first rank. If there are several CalibrationMetrics, the hook draws
    the first.

    Args:
        pictures: How many images to show, spread evenly over the dataset, or a list of
            their indices in the dataset. With 0 no image is shown.

    Raises:
        TypeError: `pictures` is neither an integer nor a list of integers.
        ValueError: A number is negative. When the hook runs, the dataset does not have
            one of the indices, or the evaluator has no CalibrationMetric.
    """

    def __init__(self, *, pictures: int | Sequence[int] = 4) -> None:
        numbers = [pictures] if isinstance(pictures, int) else pictures
        if not isinstance(numbers, Sequence) or not all(_is_int(n) for n in numbers):
            raise TypeError(
                '`pictures` must be an integer or a list of image indices, got '
                f'{pictures!r}'
            )
        if any(number < 0 for number in numbers):
            raise ValueError(f'`pictures` must not be negative, got {pictures!r}')
        self.pictures = pictures
        self._trains = False
        self._chosen: dict[str, int] = {}  # index by path
        self._kept: dict[int, _Maps] = {}
        self._dataset: Any = None

    def before_train(self, runner: Runner) -> None:
        """Check that there is a metric now, not after an hour of training."""
        self._trains = True
        if runner.val_loop is not None:
            _find_metric(runner.val_loop, 'val')

    def before_val(self, runner: Runner) -> None:
        """Choose the images to show."""
        self._begin(runner.val_loop, 'val')

    def before_test(self, runner: Runner) -> None:
        """Choose the images to show."""
        self._begin(runner.test_loop, 'test')

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Keep the maps of the chosen images."""
        self._keep(outputs)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Keep the maps of the chosen images."""
        self._keep(outputs)

    def after_val_epoch(self, runner: Runner, metrics: Any = None) -> None:
        """Write all files."""
        self._write(runner, runner.val_loop, 'val')

    def after_test_epoch(self, runner: Runner, metrics: Any = None) -> None:
        """Write all files."""
        self._write(runner, runner.test_loop, 'test')

    def _begin(self, loop: Any, split: str) -> None:
        _find_metric(loop, split)
        dataset = self._dataset = loop.dataloader.dataset
        self._kept = {}
        self._chosen = {
            dataset.get_data_info(index)['img_path']: index
            for index in self._indices(len(dataset))
        }

    def _indices(self, length: int) -> list[int]:
        if isinstance(self.pictures, int):
            count = min(self.pictures, length)
            return np.linspace(0, length - 1, count).round().astype(int).tolist()
        beyond = [index for index in self.pictures if index >= length]
        if beyond:
            raise ValueError(
                '`pictures` must be indices of the dataset, which has '
                f'{length} images, got {beyond}'
            )
        return list(self.pictures)

    def _keep(self, outputs: Sequence[SegDataSample]) -> None:
        for sample in outputs:
            index = self._chosen.get(sample.img_path)
            if index is not None:
                self._kept[index] = _maps(sample)

    def _write(self, runner: Runner, loop: Any, split: str) -> None:
        kept: dict[int, _Maps] = {}
        # By files, as metrics are collected: maps are large for a GPU's memory.
        for of_rank in collect_results([self._kept], get_world_size()) or ():
            kept |= of_rank
        if not is_main_process():
            return
        metric = _find_metric(loop, split)
        when, step = self._when(runner)
        stem = '_'.join(filter(None, (split, when)))
        # Another checkpoint with this name must not overwrite the figures of a test.
        folder = Path(runner.work_dir if self._trains else runner.log_dir) / FOLDER
        write_bin_tables(folder / f'{stem}_bins.csv', metric.tables)
        panels = {_panel(name): table for name, table in metric.tables.items()}
        title = stem.replace('_', ' ')
        drawn = {'reliability': reliability_diagram(panels, title=title)}
        if kept:
            drawn['pictures'] = _sheet(kept, self._dataset, metric)
        for name, figure in drawn.items():
            image = _rasterise(figure)
            with whole_file(folder / f'{stem}_{name}.png') as path:
                Image.fromarray(image).save(path)
            # LocalVisBackend drops images whose name has a slash.
            runner.visualizer.add_image(f'{split}_{name}', image, step)

    def _when(self, runner: Runner) -> tuple[str, int]:
        """The iteration or epoch; without training the checkpoint, at step 0."""
        if not self._trains:  # to ask the runner would build the training's loader
            return Path(runner.cfg.get('load_from') or '').stem, 0
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            return f'epoch_{runner.epoch}', runner.epoch
        return f'iter_{runner.iter}', runner.iter


def _is_int(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _panel(table: str) -> str:
    for name, title in PANELS.items():
        if table == name or (name.endswith('/') and table.startswith(name)):
            return title + table.removeprefix(name)
    return table


def _find_metric(loop: Any, split: str) -> CalibrationMetric:
    for metric in loop.evaluator.metrics:
        if isinstance(metric, CalibrationMetric):
            return metric
    raise ValueError(
        'CalibrationHook draws the results of a CalibrationMetric, but '
        f'`{split}_evaluator` has none: make it a list and add '
        "dict(type='CalibrationMetric')"
    )


def _maps(sample: SegDataSample) -> _Maps:
    prediction = sample.pred_sem_seg.data[0].long()
    confidence = confidence_map(class_probs(sample.seg_logits.data), prediction)
    label = sample.gt_sem_seg.data[0]
    maps = label.short(), prediction.short(), confidence
    return _Maps(sample.img_path, *(values.cpu().numpy() for values in maps))


def _sheet(
    kept: Mapping[int, _Maps], dataset: Any, metric: CalibrationMetric
) -> Figure:
    maps = [kept[index] for index in sorted(kept)]
    return prediction_sheet(
        [_image(dataset, index) for index in sorted(kept)],
        [each.label for each in maps],
        {'model': [(each.prediction, each.confidence) for each in maps]},
        classes=metric.dataset_meta['classes'],
        palette=metric.dataset_meta['palette'],
        maps=('prediction', 'confidence', 'error'),
        ignore_index=metric.ignore_index,
    )


def _image(dataset: Any, index: int) -> np.ndarray:
    """RGB image of a dataset, as its own pipeline reads it."""
    leaf, place = leaf_of(dataset, index)
    return Reader.of(leaf).rgb(leaf.get_data_info(place))


def _rasterise(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    return np.asarray(pixels)[..., :3].copy()
