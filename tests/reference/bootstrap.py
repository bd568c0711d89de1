"""Measures of drawn pictures, one round, run, picture and class at a time."""

import math
from collections.abc import Sequence

# The pixels (intersection, union) of each class in a picture.
Picture = Sequence[tuple[float, float]]


def drawn_sums(pictures: Sequence[Picture], counts: Sequence[int]) -> list[list[float]]:
    """Intersection and union of each class, each picture taken `counts` times."""
    sums = [[0.0, 0.0] for _ in pictures[0]]
    for picture, count in zip(pictures, counts, strict=True):
        for _ in range(int(count)):
            for c, (intersection, union) in enumerate(picture):
                sums[c][0] += intersection
                sums[c][1] += union
    return sums


def mean_iou(pictures: Sequence[Picture], counts: Sequence[int]) -> float:
    """The mean over the classes that have a pixel, in per cent."""
    ious = [100 * i / u for i, u in drawn_sums(pictures, counts) if u]
    return sum(ious) / len(ious)


def accuracy(pictures: Sequence[Picture], counts: Sequence[int]) -> float:
    """Right pixels of all pixels, in per cent.

    A wrong pixel is in the unions of two classes, a right one in that of one.
    """
    sums = drawn_sums(pictures, counts)
    right = sum(i for i, _ in sums)
    wrong = (sum(u for _, u in sums) - right) / 2
    return 100 * right / (right + wrong)


def class_iou(pictures: Sequence[Picture], counts: Sequence[int], c: int) -> float:
    """The IoU of a class, in per cent; NaN without a pixel."""
    intersection, union = drawn_sums(pictures, counts)[c]
    return 100 * intersection / union if union else math.nan


def mean_over_runs(measure, folds, counts, round_index: int) -> float:
    """The mean over folds of the mean over a fold's runs; each fold has its own draws.

    folds: of each fold the runs, each a list of pictures; counts: of each fold
    (rounds, pictures).
    """
    means = []
    for runs, drawn in zip(folds, counts, strict=True):
        values = [measure(run, drawn[round_index]) for run in runs]
        means.append(sum(values) / len(values))
    return sum(means) / len(means)
