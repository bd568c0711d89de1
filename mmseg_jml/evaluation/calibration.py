"""Calibration in MMSegmentation's evaluators."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, get_args

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS
from torch import Tensor

from ..files import write_csv
from ..functional.bootstrap import percentile_interval, resample_counts
from ..functional.boundary import boundary_mask, check_kernel_size
from ..functional.calibration import (
    FINE_BINS,
    BinTable,
    Closed,
    adaptive_calibration_error,
    bin_sums,
    bin_tables,
    calibration_measures,
    check_bins,
    merge_tables,
)
from ..functional.checks import check_bool, check_int
from ..functional.overlap import class_areas
from ..functional.pixel_scores import binary_scores, classwise_tables, softmax_scores
from ..functional.targets import valid_mask
from .entries import (
    ImageEntry,
    PackedTable,
    Region,
    Statistics,
    fine_tables,
    image_measures,
    pack,
    pooled_measures,
    statistics,
    unpack,
)
from .figures_table import calibration_tables
from .fine_grained_iou import pack_areas
from .metric_keys import ADAPTIVE, Keys, of_class
from .per_image import log_folder, rows
from .pictures import read_logits, read_picture

REGIONS: tuple[Region, ...] = get_args(Region)


class _Bins(TypedDict):
    num_bins: int
    closed: Closed


@METRICS.register_module()
class CalibrationMetric(BaseMetric):
    """How far confidence is from accuracy: ECE and its family, NLL and Brier.

    Keys are `calib/ECE`, `MCE`, `RMSCE`, `Gap` (mean confidence less accuracy), `Conf`,
    `Acc` (all per cent), `NLL` (nats) and `Brier` (0 to 2), pooled over all pixels; at
    the boundary `BECE`, ..., in the interior, which is every other valid pixel, `IECE`,
    .... A choice that is not the default is named: `calib/ECE_bins15_right`,
    `calib/BECE_k5`. Memory is flat in pixels: of each image less than a kilobyte
    stays (more with `adaptive`), and any split into batches and ranks gives the same
    figures.

    Args:
        num_bins: bins of equal width.
        closed: the side of a bin that belongs to it.
        regions: 'all', 'boundary' and 'interior', or some of them.
        image_level: also the mean over images of their own values: `ECE_image`.
        class_wise: also `cwECE`, the mean over classes of the error of p_c as the
            probability of the label c, over all pixels; of each as `cwECE.car`.
        per_class: also `mECE`, the mean over the predicted classes of the error of the
            pixels predicted as the class; of each as `ECE.car`.
        adaptive: also `AECE`, over `num_bins` groups of equal mass instead of width.
        kernel_size: odd width of the window that makes a boundary, as in boundary label
            smoothing; a pixel beside an ignored one is none.
        per_image_csv: also a file of one row for each image.
        output_dir: its folder; None is the folder of the run's log.
        bootstrap: rounds of drawing images again, 0 for none: each value gets a 95 %
            interval, `ECE_low` to `ECE_high`. AECE and the errors of classes get none.
        seed: of the bootstrap.
        ignore_index: the label that does not count.
        collect_device, prefix, collect_dir: as for every metric of MMEngine.

    What has no pixel has no key. After an evaluation `tables` holds, on the main
    process, the pooled `BinTable` of 'all', 'boundary', 'interior' and, on request,
    'class/car' and 'classwise/car'.

    The confidence of a binary head (`out_channels=1`) is the probability of what its
    threshold decided, as `binary_scores` explains. With test-time augmentation
    `MergedSegTTAModel` is needed. To keep the best checkpoint:
    `CheckpointHook(save_best='calib/ECE', rule='less')`.

    >>> metric = CalibrationMetric(regions=['all'])
    >>> scores, label = torch.tensor([[[0.75, 0.75]]]), torch.tensor([[[1, 0]]])
    >>> maps = dict(seg_logits=scores, pred_sem_seg=scores > 0.3, gt_sem_seg=label)
    >>> metric.process({}, [{name: dict(data=each) for name, each in maps.items()}])
    >>> metric.evaluate(size=1)['calib/ECE']
    25.0
    """

    default_prefix = 'calib'

    def __init__(
        self,
        *,
        num_bins: int = 10,
        closed: Closed = 'left',
        regions: Sequence[Region] = REGIONS,
        image_level: bool = False,
        class_wise: bool = False,
        per_class: bool = False,
        adaptive: bool = False,
        kernel_size: int = 3,
        per_image_csv: bool = False,
        output_dir: str | None = None,
        bootstrap: int = 0,
        seed: int = 0,
        ignore_index: int = 255,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        check_bins(num_bins, closed)
        check_kernel_size(kernel_size)
        for name, value in (
            ('image_level', image_level),
            ('class_wise', class_wise),
            ('per_class', per_class),
            ('adaptive', adaptive),
            ('per_image_csv', per_image_csv),
        ):
            check_bool(name, value)
        if not regions or not set(regions) <= set(REGIONS):
            raise ValueError(f'`regions` must be some of {REGIONS}, got {regions!r}')
        check_int('bootstrap', bootstrap, 0)
        check_int('seed', seed)
        check_int('ignore_index', ignore_index)
        self.num_bins = num_bins
        self.closed = closed
        self.regions = tuple(regions)
        self.image_level = image_level
        self.class_wise = class_wise
        self.per_class = per_class
        self.adaptive = adaptive
        self.kernel_size = kernel_size
        self.per_image_csv = per_image_csv
        self.output_dir = output_dir
        self.bootstrap = bootstrap
        self.seed = seed
        self.ignore_index = ignore_index
        self.keys = Keys(num_bins, closed, kernel_size)
        self.tables: dict[str, BinTable] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Append one `ImageEntry` for each picture."""
        if self.per_image_csv:
            self._folder()  # better refused here than at the end
        for sample in data_samples:
            logits = read_logits(sample, data_batch)
            picture = read_picture(sample)
            label = picture.label.to(logits.device)
            prediction = picture.prediction.to(logits.device).long()
            name = picture.name if self.per_image_csv else ''
            self.results.append(self._entry(name, logits, label, prediction))

    def _entry(
        self, name: str, logits: Tensor, label: Tensor, prediction: Tensor
    ) -> ImageEntry:
        """What is kept of logits (1,C,H,W) and label and prediction (1,H,W)."""
        score = binary_scores if logits.shape[1] == 1 else softmax_scores
        scores = score(logits, label, prediction, ignore_index=self.ignore_index)
        valid = valid_mask(label, self.ignore_index)
        # Parts are the interior, the boundary and what does not count.
        part = boundary_mask(label, self.kernel_size, self.ignore_index).long()
        part = part.where(valid, 2)
        sums = [
            bin_sums(part.flatten(), each.flatten(), 3)[:2]
            for each in (scores.nll, scores.brier)
        ]
        tables = partial(bin_tables, scores.confidence, scores.correct)
        bins: _Bins = {'num_bins': self.num_bins, 'closed': self.closed}
        entry = ImageEntry(
            name, pack(tables(part, 2, **bins)), torch.stack(sums).cpu().numpy()
        )
        num_classes = max(logits.shape[1], 2)
        if self.per_class or self.class_wise or self.per_image_csv:
            self._class_names(num_classes)  # refused here if at all, as above
        if self.adaptive:
            entry.fine = pack(tables(part, 2, num_bins=FINE_BINS))
        if self.per_class:
            group = prediction.where(valid, num_classes)
            entry.per_class = pack(tables(group, num_classes, **bins))
        if self.class_wise:
            table = classwise_tables(
                logits, label, ignore_index=self.ignore_index, **bins
            )
            entry.class_wise = pack(table)
        if self.per_image_csv:
            areas = class_areas(prediction, label, num_classes, self.ignore_index)
            entry.areas = pack_areas(areas)
        return entry

    def compute_metrics(self, results: list[ImageEntry]) -> dict[str, float]:
        """The figures of all pictures; fills `tables` and writes the file of rows."""
        self.tables = {}
        if not results:
            return {}
        pictures = statistics(results)
        metrics: dict[str, float] = {}
        for region, each in pictures.items():
            self.tables[region] = BinTable(*(part.sum(0) for part in each.table))
            if region in self.regions:
                metrics |= self._region_metrics(region, each)
        if self.adaptive:
            for region, table in fine_tables([e.fine for e in results]).items():
                error = adaptive_calibration_error(table, self.num_bins)
                if region in self.regions and error is not None:
                    metrics[self.keys(ADAPTIVE, region)] = 100 * error
        if self.per_class:
            metrics |= self._class_metrics('ECE', [e.per_class for e in results])
        if self.class_wise:
            metrics |= self._class_metrics('cwECE', [e.class_wise for e in results])
        if self.per_image_csv:
            self._write_rows(results, pictures)
        print_log(f'Calibration:\n{calibration_tables(metrics)}', 'current')
        return metrics

    def _region_metrics(self, region: Region, pictures: Statistics) -> dict[str, float]:
        """Values and intervals in the forms D and I."""
        number = len(pictures.sums)
        once = torch.ones(1, number, dtype=torch.float64)
        draws = None
        if self.bootstrap and number > 1:
            draws = resample_counts(number, self.bootstrap, self.seed)
        forms = {'': pooled_measures}
        if self.image_level:
            forms['_image'] = image_measures
        metrics = {}
        for form, measures in forms.items():
            drawn = {} if draws is None else measures(pictures, draws)
            for name, value in measures(pictures, once).items():
                if not len(value):
                    continue
                metrics[self.keys(name, region, form)] = value.item()
                # An infinite NLL has no interval.
                if name in drawn and drawn[name].isfinite().all():
                    low, high = percentile_interval(drawn[name])
                    metrics[self.keys(name, region, f'{form}_low')] = low
                    metrics[self.keys(name, region, f'{form}_high')] = high
        return metrics

    def _class_metrics(
        self, measure: str, packed: list[PackedTable]
    ) -> dict[str, float]:
        """The errors of the classes that have a pixel, and their mean."""
        total = merge_tables(map(unpack, packed))
        names = self._class_names(len(total.count))
        errors = 100 * calibration_measures(total)['ECE']
        some = total.count.sum(1) > 0
        kind = 'classwise' if measure == 'cwECE' else 'class'
        for c, name in enumerate(names):
            self.tables[f'{kind}/{name}'] = BinTable(*(each[c] for each in total))
        if not some.any():
            return {}
        mean = 'cwECE' if measure == 'cwECE' else 'mECE'
        return {self.keys(mean): errors[some].mean().item()} | {
            self.keys(of_class(measure, names[c])): errors[c].item()
            for c in some.nonzero().flatten().tolist()
        }

    def _class_names(self, number: int) -> Sequence[str]:
        names = self.dataset_meta['classes']
        if len(names) != number:
            raise ValueError(
                f'`classes` of the dataset must name {number} classes, as many as the '
                f'model has, got {len(names)}'
            )
        return names

    def _write_rows(
        self, entries: list[ImageEntry], pictures: dict[Region, Statistics]
    ) -> None:
        columns = {
            self.keys(measure, region): (pictures[region], measure)
            for measure, region in (
                ('ECE', 'all'),
                ('ECE', 'boundary'),
                ('NLL', 'all'),
            )
        }
        table = rows(entries, self.dataset_meta['classes'], columns)
        write_csv(self._folder() / f'{self.prefix}_per_image.csv', table)

    def _folder(self) -> Path:
        return log_folder() if self.output_dir is None else Path(self.output_dir)
