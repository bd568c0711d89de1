"""What is measured: each contestant takes the logits and label of one picture."""

import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor

CLASSES = 19
BASELINE = 'softmax + maximum'


class Contestant(NamedTuple):
    """A call on logits (C,H,W), label (H,W) and prediction (H,W), and what it keeps."""

    update: Callable[[Tensor, Tensor, Tensor], Any]
    kept: Callable[[], int]  # bytes since it was built


def torchs() -> dict[str, Contestant]:
    """The baseline of every ratio."""
    return {BASELINE: Contestant(lambda z, y, p: z.softmax(0).max(0), lambda: 0)}


def ours() -> dict[str, Contestant]:
    """The metrics of this package, as an evaluator calls them."""
    from mmseg_jml.evaluation import CalibrationMetric, FineGrainedIoUMetric

    def contestant(metric: Any) -> Contestant:
        metric.dataset_meta = {'classes': [str(c) for c in range(CLASSES)]}

        def update(logits: Tensor, label: Tensor, prediction: Tensor) -> None:
            sample = {
                'img_path': 'a.png',
                'seg_logits': {'data': logits},
                'pred_sem_seg': {'data': prediction[None]},
                'gt_sem_seg': {'data': label[None]},
            }
            metric.process({}, [sample])

        return Contestant(update, lambda: len(pickle.dumps(metric.results)))

    every = dict(adaptive=True, per_class=True, per_image_csv=True, output_dir='.')
    return {
        'ours: defaults (24 figures)': contestant(CalibrationMetric()),
        'ours: all but class-wise': contestant(CalibrationMetric(**every)),
        'ours: class-wise too': contestant(CalibrationMetric(class_wise=True)),
        'ours: fine-grained IoU': contestant(FineGrainedIoUMetric()),
    }


def torchmetrics() -> dict[str, Contestant]:
    """ECE alone; a metric for each other figure does the work again."""
    module = import_module('torchmetrics.classification')
    metric = module.MulticlassCalibrationError(CLASSES, n_bins=10, ignore_index=255)

    def update(logits: Tensor, label: Tensor, prediction: Tensor) -> None:
        metric.update(logits[None], label[None])

    def kept() -> int:
        return sum(part.nbytes for part in metric.confidences + metric.accuracies)

    return {'torchmetrics: ECE': Contestant(update, kept)}


def monai() -> dict[str, Contestant]:
    """Class-wise ECE of each picture; knows no ignored pixels."""
    metric = import_module('monai.metrics').CalibrationErrorMetric(num_bins=10)
    values: list[Tensor] = []

    def update(logits: Tensor, label: Tensor, prediction: Tensor) -> None:
        target = torch.zeros_like(logits)
        target.scatter_(0, label.where(label != 255, 0)[None], 1)
        values.append(metric(logits.softmax(0)[None], target[None]))

    return {
        'MONAI: class-wise ECE': Contestant(
            update, lambda: sum(value.nbytes for value in values)
        )
    }


def netcal() -> dict[str, Contestant]:
    """ECE of arrays that must all be there: one picture, not a data set."""
    metric = import_module('netcal.metrics').ECE(10)
    rows: list[Any] = []

    def update(logits: Tensor, label: Tensor, prediction: Tensor) -> None:
        valid = label != 255
        confidence, predicted = logits.softmax(0).max(0)
        confidence, right = confidence[valid], (predicted == label)[valid]
        rows.append((confidence.numpy(), right.numpy()))
        metric.measure(*rows[-1])

    return {
        'netcal: ECE of one picture': Contestant(
            update, lambda: sum(part.nbytes for row in rows for part in row)
        )
    }


FAMILIES = {
    'torch': torchs,
    'mmseg_jml': ours,
    'torchmetrics': torchmetrics,
    'monai': monai,
    'netcal': netcal,
}


def contestants() -> tuple[dict[str, Contestant], dict[str, str]]:
    """Those that import here, and why the others do not."""
    found: dict[str, Contestant] = {}
    missing = {}
    for name, family in FAMILIES.items():
        try:
            found |= family()
        except Exception as error:  # a peer may fail in any way: it is named
            missing[name] = f'{type(error).__name__}: {error}'.split('\n')[0]
    return found, missing
