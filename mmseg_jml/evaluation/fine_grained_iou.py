"""Fine-grained IoU in MMSegmentation's evaluators."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from ..functional.checks import check_int, check_number
from ..functional.overlap import (
    Areas,
    class_areas,
    fine_grained_measures,
    foreground_measures,
)
from .pictures import read_picture

FOREGROUND = {  # the metric's keys by the measures' names
    'IoU': 'foreground_IoU',
    'Dice': 'foreground_Dice',
    'sensitivity': 'sensitivity',
    'specificity': 'specificity',
}


@METRICS.register_module()
class FineGrainedIoUMetric(BaseMetric):
    """Acc, mAcc, mIoU and mDice over the dataset (D), images (I) and classes (C).

    The forms and what is left out are those of `fine_grained_measures`; `fine/mIoU_D`
    is IoUMetric's mIoU. In per cent. A dataset without a valid pixel has no keys.

    Where there are two classes, with one channel or with two, class 1 is the foreground
    and has the keys `fine/foreground_IoU`, `fine/foreground_Dice`, `fine/sensitivity`
    and `fine/specificity`, as in `foreground_measures`: the background's easy pixels
    raise mIoU and accuracy, but not these.

    Args:
        worst_percent: shares of the images, in (0, 100): for each the keys
            `fine/mIoU_I_worst5` and alike hold the means over the worst images alone.
        ignore_index: the label that does not count.
        collect_device, prefix, collect_dir: as for every metric of MMEngine; the
            prefix is 'fine' by default.

    >>> metric = FineGrainedIoUMetric(worst_percent=(5,))
    >>> metric.dataset_meta = dict(classes=('road', 'car'))
    >>> maps = torch.tensor([[[0, 1]]]), torch.tensor([[[0, 0]]])
    >>> names = ('pred_sem_seg', 'gt_sem_seg')
    >>> sample = {name: dict(data=each) for name, each in zip(names, maps)}
    >>> metric.process({}, [sample])
    >>> metric.evaluate(size=1)['fine/mIoU_I']
    50.0
    """

    default_prefix = 'fine'

    def __init__(
        self,
        *,
        worst_percent: Sequence[float] = (),
        ignore_index: int = 255,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        for percent in worst_percent:
            check_number(
                'worst_percent', percent, 0, 100, open_low=True, open_high=True
            )
        check_int('ignore_index', ignore_index)
        self.worst_percent = tuple(worst_percent)
        self.ignore_index = ignore_index

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Append the areas of each picture: an int32 array (3,C)."""
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            picture = read_picture(sample)
            areas = class_areas(
                picture.prediction, picture.label, num_classes, self.ignore_index
            )
            self.results.append(pack_areas(areas))

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """The measures of all pictures, in per cent."""
        if not results:
            return {}
        areas = unpack_areas(results)
        metrics = {k: 100 * v for k, v in fine_grained_measures(areas).items()}
        if areas.label.shape[1] == 2:
            found = foreground_measures(areas)
            metrics |= {FOREGROUND[k]: 100 * v for k, v in found.items()}
        for percent in self.worst_percent:
            found = fine_grained_measures(areas, percent)
            metrics |= {f'{k}_worst{percent:g}': 100 * v for k, v in found.items()}
        return metrics


def pack_areas(areas: Areas) -> np.ndarray:
    """One picture's areas as int32 (3,C): no picture has 2**31 pixels."""
    return torch.cat(areas).int().cpu().numpy()


def unpack_areas(packed: list[np.ndarray]) -> Areas:
    """The areas (N,C) of packed pictures."""
    return Areas(*torch.from_numpy(np.stack(packed, axis=1)).long())
