"""Summarize runs, and estimate differences with intervals over images.

Sources: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics
1979; paired draws as in Koehn, "Statistical Significance Tests for Machine Translation
Evaluation", EMNLP 2004.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...functional.bootstrap import percentile_interval, resample_counts
from .areas import PictureAreas

ROUNDS = 2000
LEVEL = 0.95

# The areas of each run by its fold; without folds all are in None's.
RunsByFold = Mapping[int | None, Sequence[PictureAreas]]


class Summary(NamedTuple):
    """A summary of the values of one measure in several runs."""

    runs: int
    mean: float
    std: float | None  # over n - 1; one run has none
    max: float


def summarize(values: Sequence[float]) -> Summary:
    """Mean, standard deviation (n - 1) and maximum of at least one value.

    Raises:
        ValueError: there is no value.

    >>> summarize([1.0, 2.0, 3.0])
    Summary(runs=3, mean=2.0, std=1.0, max=3.0)
    >>> print(summarize([1.0]).std)
    None
    """
    if not values:
        raise ValueError('`values` must have at least one value, got none')
    mean = math.fsum(values) / len(values)
    std = None
    if len(values) > 1:
        squares = math.fsum((value - mean) ** 2 for value in values)
        std = math.sqrt(squares / (len(values) - 1))
    return Summary(len(values), mean, std, max(values))


class Estimate(NamedTuple):
    """A value and its interval, which is None if there are too few images."""

    value: float
    low: float | None = None
    high: float | None = None


class Measures(NamedTuple):
    """Measures in per cent: first of all images, then of each bootstrap sample.

    Each run is measured from the sums over its images. The result is the mean over the
    runs of a fold and then over folds. It is NaN for a class that has no labelled or
    predicted pixel in any run.
    """

    accuracy: Tensor  # (1 + rounds,)
    miou: Tensor  # (1 + rounds,)
    iou: Tensor  # (1 + rounds, C)


def resampled_measures(runs: RunsByFold, *, rounds: int = ROUNDS) -> Measures:
    """Measure the runs of a cell on all images and on `rounds` samples of them.

    Runs on the same images get the same samples, also in other calls, so the
    differences between the measures of two calls are paired. The images of each fold
    are sampled separately. A single image has no other samples, so there are no rounds.

    Raises:
        ValueError: there is no run.

    >>> areas = torch.tensor([[3.0, 0.0], [1.0, 2.0]], dtype=torch.float64)
    >>> whole = PictureAreas(('a', 'b'), ('sky', 'car'), areas, areas + 1)
    >>> resampled_measures({None: [whole]}, rounds=0).miou
    tensor([58.3333], dtype=torch.float64)
    """
    sizes = {fold: len(of_fold[0].names) for fold, of_fold in runs.items() if of_fold}
    if not sizes:
        raise ValueError('`runs` must have at least one run, got none')
    if min(sizes.values()) < 2:
        rounds = 0
    folds = []
    for fold, pictures in sizes.items():
        # Seeded alike the folds would be drawn alike, and would not average out.
        counts = _counts(pictures, rounds, seed=fold or 0)
        folds.append(_mean([_of_run(areas, counts) for areas in runs[fold]]))
    return _mean(folds)


def _mean(measures: Sequence[Measures]) -> Measures:
    accuracy, miou, iou = map(torch.stack, zip(*measures, strict=True))
    return Measures(accuracy.mean(0), miou.mean(0), iou.nanmean(0))


def _counts(pictures: int, rounds: int, seed: int) -> Tensor:
    once = torch.ones(1, pictures, dtype=torch.float64)
    return torch.cat([once, resample_counts(pictures, rounds, seed)])


def _of_run(areas: PictureAreas, counts: Tensor) -> Measures:
    # Whole numbers below 2**53: the sums are exact in any order.
    intersection, union = counts @ areas.intersection, counts @ areas.union
    iou = 100 * intersection / union  # 0 / 0 is NaN, which the mean leaves out
    accuracy = 100 * intersection.sum(1) / (counts @ areas.pixels())
    return Measures(accuracy, iou.nanmean(1), iou)


def estimate(values: Tensor) -> Estimate | None:
    """The first of the values (1 + rounds,) and the interval of the rounds.

    It is None if the first value is NaN. Rounds without a value, for example of a class
    that is in no sampled image, are left out. Without rounds there is no interval.

    >>> estimate(torch.tensor([2.0, 1.0, 1.0, 3.0, 3.0]))
    Estimate(value=2.0, low=1.0, high=3.0)
    """
    value = values[0].item()
    if math.isnan(value):
        return None
    drawn = values[1:][~values[1:].isnan()]
    if not len(drawn):
        return Estimate(value)
    return Estimate(value, *percentile_interval(drawn, LEVEL))
