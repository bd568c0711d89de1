"""Fine-grained IoU: the areas of each picture, and what is averaged over what.

Source: Wang et al., "Revisiting Evaluation Metrics for Semantic Segmentation:
Optimization and Evaluation of Fine-grained Intersection over Union", NeurIPS 2023
Datasets and Benchmarks (arXiv 2310.19252).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .checks import check_number
from .targets import IGNORE_INDEX, valid_mask


class Areas(NamedTuple):
    """Pixels of each class in each picture: int64 (N,C)."""

    intersection: Tensor  # predicted and labelled as the class
    prediction: Tensor  # predicted
    label: Tensor  # labelled


def class_areas(
    prediction: Tensor,
    label: Tensor,
    num_classes: int,
    ignore_index: int = IGNORE_INDEX,
) -> Areas:
    """The areas of each picture: prediction and label (N,*), integers in [0,C).

    Pixels of `ignore_index` count nowhere.

    Raises:
        ValueError: a class is not below `num_classes`.

    >>> prediction, label = torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, 255]])
    >>> class_areas(prediction, label, 2).prediction
    tensor([[1, 1]])
    """
    label, prediction = label.flatten(1).long(), prediction.flatten(1).long()
    valid = valid_mask(label, ignore_index)
    _check_classes(prediction, label, valid, num_classes)
    pictures = torch.arange(len(label), device=label.device).unsqueeze(1)

    def area(values: Tensor, counts: Tensor) -> Tensor:
        # What does not count lands in a class of its own.
        index = pictures * (num_classes + 1) + values.where(counts, num_classes)
        bins = torch.bincount(index.flatten(), minlength=len(label) * (num_classes + 1))
        return bins.view(len(label), num_classes + 1)[:, :num_classes]

    return Areas(
        area(label, valid & (prediction == label)),
        area(prediction, valid),
        area(label, valid),
    )


def confusion_counts(
    prediction: Tensor,
    label: Tensor,
    num_classes: int,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """Pixels of each label and prediction together: int64 (C,C), rows by label.

    Prediction and label (N,*) are integers in [0,C). Pixels of `ignore_index` do not
    count.

    Raises:
        ValueError: a class is not below `num_classes`.

    >>> prediction, label = torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, 255]])
    >>> confusion_counts(prediction, label, 2).tolist()
    [[1, 1], [0, 0]]
    """
    label, prediction = label.flatten().long(), prediction.flatten().long()
    valid = valid_mask(label, ignore_index)
    _check_classes(prediction, label, valid, num_classes)
    cell = (label * num_classes + prediction)[valid]
    counts = torch.bincount(cell, minlength=num_classes**2)
    return counts.view(num_classes, num_classes)


def _check_classes(
    prediction: Tensor, label: Tensor, valid: Tensor, num_classes: int
) -> None:
    for name, values in (('label', label), ('prediction', prediction)):
        wrong = valid & ((values < 0) | (values >= num_classes))
        if wrong.any():
            raise ValueError(
                f'`{name}` must be a class below {num_classes}, '
                f'got {values[wrong][0].item()}'
            )


def picture_measures(areas: Areas) -> tuple[dict[str, Tensor], Tensor]:
    """Acc, mAcc, mIoU and mDice of each picture (N,), and which pictures have any.

    A class counts in the pictures whose label holds it; a picture without a valid pixel
    has no value, and 0 here.

    >>> areas = class_areas(torch.tensor([[0, 1]]), torch.tensor([[0, 0]]), 2)
    >>> picture_measures(areas)[0]['mIoU']
    tensor([0.5000], dtype=torch.float64)
    """
    present = areas.label > 0
    classes = present.sum(1).clamp(min=1)
    measures = {
        f'm{name}': ratio.where(present, 0).sum(1) / classes
        for name, ratio in _ratios(areas).items()
    }
    measures['Acc'] = _ratio(areas.intersection.sum(1), areas.label.sum(1))
    return measures, present.any(1)


def fine_grained_measures(areas: Areas, worst_percent: float = 100) -> dict[str, float]:
    """Acc, mAcc, mIoU and mDice in the forms D, I and C, in [0,1]: names as `mIoU_D`.

    D: areas are pooled over the pictures, then the mean over classes (the usual mIoU).
    A class without any pixel, labelled or predicted, is left out (mAcc: any labelled).
    I: of each picture the mean over the classes in its label, then over pictures.
    C: of each class the mean over the pictures whose label holds it, then over classes.
    Acc, which knows no classes, has no form C. Pictures without a valid pixel are left
    out, and so is what has no value at all: nothing is NaN, nor 0 or 1 for want of
    pixels.

    Below 100 `worst_percent` takes the mean over the worst pictures alone, in C those
    of each class: floor(percent of their number), but at least one. D is then left out.

    Raises:
        ValueError: `worst_percent` is not in (0, 100].

    >>> prediction = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0]])
    >>> label = torch.tensor([[0, 1, 1, 1], [0, 0, 0, 255]])
    >>> areas = class_areas(prediction, label, 3)
    >>> for name, value in fine_grained_measures(areas).items():
    ...     if name.startswith('mIoU'):
    ...         print(name, round(value, 4))
    mIoU_D 0.7333
    mIoU_I 0.7917
    mIoU_C 0.7083
    """
    check_number('worst_percent', worst_percent, 0, 100, open_low=True)
    found = _pooled(areas) if worst_percent == 100 else {}
    measures, counts = picture_measures(areas)
    for name in MEASURES:
        mean, some = _mean_of_worst(measures[name], counts, worst_percent)
        if some:
            found[f'{name}_I'] = mean.item()
    for name, ratio in _ratios(areas).items():
        mean, some = _mean_of_worst(ratio, areas.label > 0, worst_percent)
        if some.any():
            found[f'm{name}_C'] = mean[some].mean().item()
    return found


def foreground_measures(areas: Areas) -> dict[str, float]:
    """IoU, Dice, sensitivity and specificity of class 1 in a problem of two classes.

    Areas (N,2) are pooled over the images. Sensitivity is the part of the labelled
    foreground that is predicted as foreground, specificity the part of the labelled
    background that is predicted as background. All are in [0,1]; one whose denominator
    has no pixel is left out.

    Raises:
        ValueError: there are not two classes.

    >>> prediction, label = torch.tensor([[0, 1, 1, 1]]), torch.tensor([[0, 0, 1, 1]])
    >>> foreground_measures(class_areas(prediction, label, 2))
    {'IoU': 0.6666666666666666, 'Dice': 0.8, 'sensitivity': 1.0, 'specificity': 0.5}
    """
    if areas.label.shape[1] != 2:
        raise ValueError(
            f'`areas` must be of two classes, background and foreground, got '
            f'{areas.label.shape[1]}'
        )
    both, predicted, labelled = (part.sum(0).tolist() for part in areas)
    size = predicted[1] + labelled[1]
    ratios = {
        'IoU': (both[1], size - both[1]),
        'Dice': (2 * both[1], size),
        'sensitivity': (both[1], labelled[1]),
        'specificity': (both[0], labelled[0]),
    }
    return {name: part / whole for name, (part, whole) in ratios.items() if whole}


MEASURES = ('Acc', 'mAcc', 'mIoU', 'mDice')


def _pooled(areas: Areas) -> dict[str, float]:
    """The D form."""
    total = Areas(*(part.sum(0) for part in areas))
    labelled = total.label > 0
    if not labelled.any():
        return {}
    seen = labelled | (total.prediction > 0)
    accuracy = total.intersection.sum().double() / total.label.sum()
    ratios = _ratios(total)
    return {'Acc_D': accuracy.item()} | {
        f'm{name}_D': ratio[labelled if name == 'Acc' else seen].mean().item()
        for name, ratio in ratios.items()
    }


def _ratios(areas: Areas) -> dict[str, Tensor]:
    """Class accuracy, IoU and Dice of areas (*,C), 0 where there is no pixel."""
    both, sizes = areas.intersection, areas.prediction + areas.label
    return {
        'Acc': _ratio(both, areas.label),
        'IoU': _ratio(both, sizes - both),
        'Dice': _ratio(2 * both, sizes),
    }


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    return part.double() / whole.clamp(min=1)


def _mean_of_worst(
    values: Tensor, counts: Tensor, percent: float
) -> tuple[Tensor, Tensor]:
    """The mean of the lowest values (N,*) that count: (*), and where any counts."""
    number = counts.sum(0)
    taken = (number * percent / 100).floor().clamp(min=1)
    worst = values.where(counts, float('inf')).sort(0).values
    rank = torch.arange(len(values), device=values.device)
    rank = rank.view(-1, *(1,) * (values.ndim - 1))
    some = number > 0
    # Where nothing counts the worst is infinite: it is not looked at.
    return worst.where((rank < taken) & some, 0).sum(0) / taken, some
