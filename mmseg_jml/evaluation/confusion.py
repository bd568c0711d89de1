"""The confusion matrix in MMSegmentation's evaluators."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS

from ..files import whole_file, write_csv, write_whole
from ..functional.checks import check_int
from ..functional.overlap import confusion_counts
from ..markdown_table import table
from ..visualization.confusion import confusion_figure, row_shares
from .per_image import log_folder
from .pictures import read_picture

STEM = 'confusion_matrix'


class _Counts(NamedTuple):
    """The cells of one image's matrix that are not 0."""

    cell: np.ndarray  # int32, label * C + prediction
    pixels: np.ndarray  # int32


@METRICS.register_module()
class ConfusionMatrixMetric(BaseMetric):
    """Write which class is taken for which, as CSV, Markdown and a figure.

    The files are `confusion_matrix.csv`, with pixels, and `confusion_matrix.md` and
    `confusion_matrix.png`, with the share of each labelled class's pixels in per cent.
    A row is a class of the label, a column a predicted class. Each evaluation writes
    them again. There are no figures to log: IoUMetric and FineGrainedIoUMetric have
    them.

        test_evaluator = [dict(type='IoUMetric'), dict(type='ConfusionMatrixMetric')]

    After an evaluation `counts` holds, on the main process, the pixels (C,C) by label
    and prediction.

    Args:
        output_dir: the folder of the files; None is the folder of the run's log.
        ignore_index: the label that does not count.
        collect_device, prefix, collect_dir: as for every metric of MMEngine.

    >>> import torch
    >>> metric = ConfusionMatrixMetric()
    >>> metric.dataset_meta = dict(classes=('road', 'car'))
    >>> maps = torch.tensor([[[0, 1]]]), torch.tensor([[[0, 0]]])
    >>> names = ('pred_sem_seg', 'gt_sem_seg')
    >>> sample = {name: dict(data=each) for name, each in zip(names, maps)}
    >>> metric.process({}, [sample])
    >>> metric.results[0].cell.tolist(), metric.results[0].pixels.tolist()
    ([0, 1], [1, 1])
    """

    default_prefix = 'confusion'

    def __init__(
        self,
        *,
        output_dir: str | None = None,
        ignore_index: int = 255,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        check_int('ignore_index', ignore_index)
        self.output_dir = output_dir
        self.ignore_index = ignore_index
        self.writes = True  # SemiEvaluator lets one of two models write
        self.counts: np.ndarray | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Append the counts of each image."""
        number = len(self.dataset_meta['classes'])
        for sample in data_samples:
            picture = read_picture(sample)
            counts = confusion_counts(
                picture.prediction, picture.label, number, self.ignore_index
            )
            cell = counts.flatten().nonzero().squeeze(1)
            parts = cell.int(), counts.flatten()[cell].int()
            self.results.append(_Counts(*(part.cpu().numpy() for part in parts)))

    def compute_metrics(self, results: list[_Counts]) -> dict[str, float]:
        """Write the files of all images; there is nothing to log."""
        classes = list(self.dataset_meta['classes'])
        total = np.zeros(len(classes) ** 2, np.int64)
        # MMEngine makes plain tuples of those that it collects from the ranks.
        for cell, pixels in results:
            total[cell] += pixels
        self.counts = total.reshape(len(classes), len(classes))
        if self.writes:
            self._write(classes)
        return {}

    def _write(self, classes: Sequence[str]) -> None:
        folder = log_folder() if self.output_dir is None else Path(self.output_dir)
        head = ['label', *classes]
        rows = [
            [name, *row]
            for name, row in zip(classes, self.counts.tolist(), strict=True)
        ]
        write_csv(folder / f'{STEM}.csv', [head, *rows])
        write_whole(folder / f'{STEM}.md', self._page(classes).encode())
        with whole_file(folder / f'{STEM}.png') as path:
            confusion_figure(self.counts, classes).savefig(path)
        print_log(
            f'The confusion matrix is in {folder / STEM}.md, .csv and .png', 'current'
        )

    def _page(self, classes: Sequence[str]) -> str:
        shares = row_shares(self.counts)
        rows = [
            [name, str(pixels), *('' if np.isnan(s) else f'{s:.1f}' for s in row)]
            for name, pixels, row in zip(
                classes, self.counts.sum(1).tolist(), shares, strict=True
            )
        ]
        shown = table(['label', 'pixels', *classes], rows, padded=True)
        return (
            '# Confusion matrix\n\n'
            'Each row shows, for one class of the label, the share of its pixels (%) '
            f'that is predicted as each class.\n\n{shown}\n'
        )
