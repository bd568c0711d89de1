import math
import statistics
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.experiments.report.areas import PictureAreas
from mmseg_jml.experiments.report.statistics import (
    estimate,
    resampled_measures,
    summarize,
)
from mmseg_jml.functional.bootstrap import resample_counts
from tests.functional.cases import laws, seeds
from tests.reference import bootstrap as slow

ROUNDS = 7


def make_areas(seed, pictures=6, classes=4, *, empty=()):
    """A run's counts; classes in `empty` have no pixel anywhere."""
    rng = np.random.default_rng(seed)
    intersection = rng.integers(0, 50, (pictures, classes))
    union = intersection + rng.integers(0, 50, (pictures, classes))
    # As where a class is in some pictures only.
    union[rng.random((pictures, classes)) < 0.4] = 0
    union[:, list(empty)] = 0
    intersection = np.minimum(intersection, union)
    return areas_of(intersection, union)


def areas_of(intersection, union, names=None):
    return PictureAreas(
        tuple(names or (f'{i:04}' for i in range(len(union)))),
        tuple(f'c{i}' for i in range(union.shape[1])),
        torch.tensor(intersection, dtype=torch.float64),
        torch.tensor(union, dtype=torch.float64),
    )


def as_pictures(areas):
    return torch.stack([areas.intersection, areas.union], 2).tolist()


@pytest.mark.parametrize('folds', [{None: 3}, {0: 1, 1: 1, 2: 1}, {0: 2, 3: 1}])
@given(seed=seeds)
@laws
def test_measures_of_drawn_pictures_are_those_of_slow_loops(folds, seed):
    rng = np.random.default_rng(seed)
    pictures = {fold: int(rng.integers(2, 7)) for fold in folds}
    runs = {
        fold: [
            make_areas(int(rng.integers(1e9)), pictures[fold], empty=[3])
            for _ in range(number)
        ]
        for fold, number in folds.items()
    }
    found = resampled_measures(runs, rounds=ROUNDS)
    counts = [
        [[1] * n, *resample_counts(n, ROUNDS, seed=fold or 0).tolist()]
        for fold, n in pictures.items()
    ]
    slow_runs = [[as_pictures(run) for run in of_fold] for of_fold in runs.values()]
    for values, measure in (
        (found.miou, slow.mean_iou),
        (found.accuracy, slow.accuracy),
    ):
        expected = [
            _or_nan(slow.mean_over_runs, measure, slow_runs, counts, i)
            for i in range(ROUNDS + 1)
        ]
        np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert found.iou[:, 3].isnan().all()
    if folds == {None: 3}:
        one = {None: runs[None][:1]}
        iou = resampled_measures(one, rounds=ROUNDS).iou
        for c in range(4):
            measure = partial(slow.class_iou, c=c)
            expected = [measure(slow_runs[0][0], row) for row in counts[0]]
            np.testing.assert_allclose(iou[:, c], expected, rtol=1e-12)


def _or_nan(function, *args):
    try:
        return function(*args)
    except ZeroDivisionError:  # a draw without any pixel
        return math.nan


@given(seed=seeds)
@laws
def test_runs_that_are_alike_do_not_differ_at_all(seed):
    one, other = ({None: [make_areas(seed + i) for i in range(3)]} for _ in range(2))
    difference = (
        resampled_measures(one, rounds=ROUNDS).miou
        - resampled_measures(other, rounds=ROUNDS).miou
    )
    difference = difference[~difference.isnan()]
    assert (difference == 0).all()


@given(seed=seeds)
@laws
def test_the_order_of_runs_does_not_matter(seed):
    runs = [make_areas(seed + i) for i in range(3)]
    first = resampled_measures({None: runs}, rounds=ROUNDS)
    second = resampled_measures({None: runs[::-1]}, rounds=ROUNDS)
    for mine, other in zip(first, second, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-13, atol=0, equal_nan=True)


def test_folds_are_drawn_apart():
    # Drawn alike, the errors of two equal folds would not average out at all.
    run = make_areas(0, pictures=30)
    one = resampled_measures({0: [run]}, rounds=2000).miou[1:].std()
    two = resampled_measures({0: [run], 1: [run]}, rounds=2000).miou[1:].std()
    assert two / one == pytest.approx(math.sqrt(0.5), rel=0.1)


def test_one_picture_gives_no_interval():
    values = resampled_measures({None: [make_areas(0, pictures=1)]}).miou
    assert estimate(values).low is None


def test_a_class_without_a_pixel_has_no_estimate():
    measures = resampled_measures({None: [make_areas(0, empty=[1])]}, rounds=ROUNDS)
    assert estimate(measures.iou[:, 1]) is None
    assert estimate(measures.iou[:, 0]) is not None


def test_draws_without_a_value_are_left_out_of_the_interval():
    values = torch.tensor([2.0, math.nan, 1.0, 3.0])
    low, high = estimate(values)[1:]
    assert 1 <= low < high <= 3


def test_no_run_has_no_measures():
    with pytest.raises(ValueError, match='`runs` must have at least one run'):
        resampled_measures({None: []})


def accuracies(rng, pictures):
    """Two runs whose accuracies differ by 2 % on average, by the picture."""
    pixels = 10_000
    easy = rng.normal(0.7, 0.1, pictures)  # of both runs: pairing takes it out
    gain = rng.normal(0.02, 0.03, pictures)
    runs = []
    for share in (easy, easy + gain):
        right = np.round(pixels * share.clip(0, 1))
        wrong = pixels - right
        # Of two classes: a wrong pixel is in both unions.
        intersection = np.stack([right, 0 * right], 1)
        runs.append(areas_of(intersection, np.stack([right + wrong, wrong], 1)))
    return runs


def change(runs, rounds):
    baseline, other = (resampled_measures({None: [run]}, rounds=rounds) for run in runs)
    return estimate(other.accuracy - baseline.accuracy)


def test_the_interval_is_as_wide_as_that_of_paired_normal_differences():
    pictures = 400
    runs = accuracies(np.random.default_rng(1), pictures)
    shares = [100 * run.intersection.sum(1) / run.pixels() for run in runs]
    error = (shares[1] - shares[0]).std() / math.sqrt(pictures)
    found = change(runs, 4000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error.item(), rel=0.05)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    held = 0
    for seed in range(200):
        found = change(accuracies(np.random.default_rng(seed), 50), 300)
        held += found.low <= 2 <= found.high
    # 95 % of 200, give or take three standard deviations and a little for 50 pictures.
    assert 178 <= held <= 198


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9))
@laws
def test_a_summary_is_pythons_own(values):
    found = summarize(values)
    assert found.runs == len(values)
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert found.std == pytest.approx(statistics.stdev(values), abs=1e-6)
    assert found.max == max(values)


def test_one_run_has_no_standard_deviation():
    assert summarize([3.0]) == (1, 3.0, None, 3.0)


def test_no_value_has_no_summary():
    with pytest.raises(ValueError, match='`values` must have at least one'):
        summarize([])
