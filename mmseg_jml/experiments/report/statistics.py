"""Runs summed up, and differences between them with intervals over pictures.

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
    """Several runs' values of one measure."""

    runs: int
    mean: float
    std: float | None  # over n - 1; one run has none
    max: float


def summarize(values: Sequence[float]) -> Summary:
    """Mean, standard deviation (n - 1) and maximum of at least one value.

    Raises:
        ValueError: there is none.

    >>> summarize([1.0, 2.0, 3.0])
    Summary(runs=3, mean=2.0, std=1.0, max=3.0)
    >>> print(summarize([1.0]).std)
    None
    """
    if not values:
        raise ValueError('`values` must hold at least one, got none')
    mean = math.fsum(values) / len(values)
    std = None
    if len(values) > 1:
        squares = math.fsum((value - mean) ** 2 for value in values)
        std = math.sqrt(squares / (len(values) - 1))
    return Summary(len(values), mean, std, max(values))


class Estimate(NamedTuple):
    """A value and its interval; None where the pictures do not give one."""

    value: float
    low: float | None = None
    high: float | None = None


class Measures(NamedTuple):
    """In per cent, first of the pictures as they are, then of each round.

    Of each run its own measure is taken, from the sums over its pictures; then the mean
    over the runs of a fold, and over folds. NaN is a class without a pixel, labelled or
    predicted, in any run.
    """

    accuracy: Tensor  # (1 + rounds,)
    miou: Tensor  # (1 + rounds,)
    iou: Tensor  # (1 + rounds, C)


def resampled_measures(runs: RunsByFold, *, rounds: int = ROUNDS) -> Measures:
    """The measures of a cell's runs, of its pictures and of `rounds` draws of them.

    Runs on the same pictures see the same draws, in other calls too; so differences of
    two calls' measures are paired. Each fold's pictures are drawn among themselves; one
    picture alone cannot be drawn otherwise, and there are no rounds then.

    Raises:
        ValueError: there is no run.

    >>> areas = torch.tensor([[3.0, 0.0], [1.0, 2.0]], dtype=torch.float64)
    >>> whole = PictureAreas(('a', 'b'), ('sky', 'car'), areas, areas + 1)
    >>> resampled_measures({None: [whole]}, rounds=0).miou
    tensor([58.3333], dtype=torch.float64)
    """
    sizes = {fold: len(of_fold[0].names) for fold, of_fold in runs.items() if of_fold}
    if not sizes:
        raise ValueError('`runs` must hold at least one run, got none')
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
    """A value (1 + rounds,) with the interval of its rounds; None where it is NaN.

    Rounds without a value, as of a class that no drawn picture has, are left out. Where
    all draws are the same, as of one picture, there is no interval.

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
