import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.functional import (
    BinTable,
    adaptive_calibration_error,
    bin_table,
    bin_tables,
    calibration_measures,
    expected_calibration_error,
    merge_tables,
)
from mmseg_jml.functional.bootstrap import percentile_interval, resample_counts
from mmseg_jml.functional.calibration import bin_index
from tests.functional.cases import laws, seeds
from tests.reference import calibration as reference

CLOSED = ('left', 'right')


def predictions(seed, number=60, dtype=torch.float32):
    """Confidences, many on or beside an edge of ten bins, and which are right."""
    rng = np.random.default_rng(seed)
    edges = torch.from_numpy(rng.integers(0, 11, number) / 10).to(dtype)
    beside = torch.nextafter(
        edges, torch.from_numpy(rng.integers(0, 2, number)).to(dtype)
    )
    free = torch.from_numpy(rng.random(number)).to(dtype)
    kind = torch.from_numpy(rng.integers(0, 3, number))
    confidence = torch.stack([edges, beside, free]).gather(0, kind[None])[0]
    return confidence, torch.from_numpy(rng.random(number)) < confidence


def split(values, cuts):
    return torch.tensor_split(values, sorted(cuts))


@pytest.mark.parametrize('closed', CLOSED)
@pytest.mark.parametrize('num_bins', [1, 3, 10, 15, 100])
@given(seed=seeds)
@laws
def test_a_float32_confidence_lies_between_the_exact_edges(num_bins, closed, seed):
    rng = np.random.default_rng(seed)
    edges = torch.from_numpy(rng.integers(0, num_bins + 1, 20) / num_bins).float()
    confidence = torch.cat([edges, edges.nextafter(torch.tensor(0.0))])
    expected = [reference.bin_of(c, num_bins, closed) for c in confidence.tolist()]
    assert bin_index(confidence, num_bins, closed).tolist() == expected


@pytest.mark.parametrize(
    ('confidence', 'left', 'right'),
    [
        (torch.tensor(0.0), 0, 0),
        (torch.tensor(1.0), 9, 9),
        (torch.tensor(0.5), 5, 4),
        (torch.tensor(0.7), 6, 6),  # float32: a little below 7/10
        (torch.tensor(0.1), 1, 1),  # float32: a little above 1/10
        (torch.tensor(0.7, dtype=torch.float64), 7, 6),
    ],
)
def test_zero_one_and_the_edges_lie_where_the_closure_says(confidence, left, right):
    found = [bin_index(confidence, 10, closed).item() for closed in CLOSED]
    assert found == [left, right]


@pytest.mark.parametrize('num_bins', [7, 10, 100])
def test_a_float64_number_k_over_b_is_an_edge(num_bins):
    edges = torch.arange(num_bins + 1).double() / num_bins
    left = [*range(num_bins), num_bins - 1]
    assert bin_index(edges, num_bins, 'left').tolist() == left
    assert bin_index(edges, num_bins, 'right').tolist() == [0, *range(num_bins)]


@pytest.mark.parametrize('closed', CLOSED)
@given(
    seed=seeds,
    num_bins=st.integers(1, 20),
    cuts=st.lists(st.integers(0, 60), max_size=8),
)
@laws
def test_any_split_gives_the_measures_of_one_shot(closed, seed, num_bins, cuts):
    confidence, correct = predictions(seed)
    pieces = zip(split(confidence, cuts), split(correct, cuts), strict=True)
    table = merge_tables(
        bin_table(c, r, num_bins=num_bins, closed=closed) for c, r in pieces
    )
    expected = reference.measures(
        confidence.double().numpy(), correct.numpy(), num_bins, closed
    )
    found = {name: x.item() for name, x in calibration_measures(table).items()}
    assert found == pytest.approx(expected, rel=0, abs=1e-10)


def test_ten_billion_counts_do_not_drift():
    confidence = torch.tensor([0.95, 0.65], dtype=torch.float64)
    part = BinTable(
        torch.tensor([2_500_000, 7_500_000]),
        torch.tensor([2_500_000, 7_500_000]) * confidence,
        torch.tensor([2_000_000, 6_000_000]),
    )
    table = merge_tables(part for _ in range(1000))
    assert table.count.tolist() == [2_500_000_000, 7_500_000_000]
    assert table.correct.tolist() == [2_000_000_000, 6_000_000_000]
    assert expected_calibration_error(table) == pytest.approx(
        0.25 * 0.15 + 0.75 * 0.15, abs=1e-12
    )


def test_sums_do_not_stop_at_2_to_the_24():
    number = 2**24 + 2**12
    confidence = torch.ones(1).expand(number)
    table = bin_table(confidence, torch.ones(1, dtype=torch.bool).expand(number))
    assert table.count[-1] == table.confidence[-1] == table.correct[-1] == number


@pytest.fixture
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_deterministic_sums_are_the_same(deterministic):
    confidence, correct = predictions(6)
    found = bin_table(confidence, correct)
    torch.use_deterministic_algorithms(False)
    for ours, theirs in zip(found, bin_table(confidence, correct), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-15, atol=0)


def test_what_is_not_valid_does_not_count():
    confidence, correct = predictions(1)
    valid = torch.arange(len(correct)) % 3 > 0
    masked = bin_table(confidence, correct, valid)
    picked = bin_table(confidence[valid], correct[valid])
    assert all(torch.equal(a, b) for a, b in zip(masked, picked, strict=True))


def test_groups_have_tables_of_their_own():
    confidence, correct = predictions(2)
    group = torch.arange(len(correct)) % 4  # group 3 is left out
    tables = bin_tables(confidence, correct, group, 3)
    for g in range(3):
        alone = bin_table(confidence[group == g], correct[group == g])
        for ours, theirs in zip(tables, alone, strict=True):
            assert torch.equal(ours[g], theirs)


def test_an_empty_table_has_no_error():
    empty = bin_table(torch.zeros(0), torch.zeros(0, dtype=torch.bool))
    assert expected_calibration_error(empty) is None
    assert adaptive_calibration_error(empty) is None


def test_measures_of_many_tables_are_those_of_each():
    confidence, correct = predictions(3)
    tables = bin_tables(confidence, correct, torch.arange(60) % 2, 2)
    each = [calibration_measures(BinTable(*(p[i] for p in tables))) for i in range(2)]
    for name, values in calibration_measures(tables).items():
        assert values.tolist() == [measures[name].item() for measures in each]


@given(seed=seeds, num_bins=st.integers(1, 12))
@laws
def test_adaptive_bins_hold_equal_mass(seed, num_bins):
    confidence, correct = predictions(seed, 40)
    fine = bin_table(confidence, correct, num_bins=64)
    expected = reference.adaptive_error(
        confidence.double().numpy(), correct.numpy(), num_bins, ties=64
    )
    assert adaptive_calibration_error(fine, num_bins) == pytest.approx(
        expected, abs=1e-10
    )


def test_no_table_cannot_be_merged():
    with pytest.raises(ValueError, match='`tables` must hold at least one'):
        merge_tables([])


def test_each_round_draws_as_many_pictures_as_there_are():
    counts = resample_counts(7, 50, seed=1)
    assert (counts.sum(1) == 7).all()
    assert torch.equal(counts, resample_counts(7, 50, seed=1))
    assert not torch.equal(counts, resample_counts(7, 50, seed=2))


def test_the_interval_of_a_mean_is_that_of_its_normal_limit():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0)).double()
    means = resample_counts(400, 2000) @ values / 400
    low, high = percentile_interval(means)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx((values.mean() - half).item(), abs=0.01)
    assert high == pytest.approx((values.mean() + half).item(), abs=0.01)
