"""What the paper proves about the Jaccard losses, read as tests.

Vectors lie on a grid of 64ths, so that sums and ties are exact. smooth = 0 unless
said otherwise: the theorems speak of the loss without it.
"""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from mmseg_jml.functional.jaccard import jaccard_loss, overlap_loss, overlap_sums
from tests.functional.cases import (
    METRICS,
    VARIANTS,
    assert_close,
    bits,
    grid,
    laws,
    tensor,
    value_and_gradient,
    vectors,
)

LEAST_AT_TARGET = ('jml1', 'jml2', 'sjl_l2')
SOFT_JACCARD_ON_HARD = ('jml1', 'jml2', 'sjl_l1')
OPTIONS = (
    {},
    {'smooth': 1.0},
    {'alpha': 0.5, 'beta': 0.5, 'gamma': 2.0},
    {'log_loss': True, 'smooth': 0.5},
)


def one_class(x: list[float]) -> torch.Tensor:
    """A vector of pixels as (1, 1, P)."""
    return tensor(x, torch.float64)[None, None]


def distance(variant: str, x: list[float], y: list[float], **options) -> float:
    """The loss of one class between two vectors."""
    sums = overlap_sums(one_class(x), one_class(y), variant=variant)
    return overlap_loss(sums, **{'smooth': 0.0, **options}).item()


def slopes(variant: str, x: list[float], y: list[float]) -> list[float]:
    """The derivatives of the loss of one class by x."""
    _, gradient = value_and_gradient(
        lambda p: jaccard_loss(
            p,
            one_class(y),
            variant=variant,
            active_classes='all',
            smooth=0.0,
            sigmoid=True,
        ),
        one_class(x),
    )
    return gradient.ravel().tolist()


# Theorem 2.2: JML1 and JML2 are metrics, SJL is not -------------------------


@pytest.mark.parametrize('variant', METRICS)
@given(pair=vectors(grid))
@laws
def test_the_distance_to_itself_is_zero(variant, pair):
    (x,) = pair
    assert distance(variant, x, x) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize('variant', METRICS)
@given(pair=vectors(grid, grid))
@laws
def test_the_distance_between_different_vectors_is_positive(variant, pair):
    x, y = pair
    assume(x != y)
    assert distance(variant, x, y) > 1e-5


@pytest.mark.parametrize('variant', METRICS)
@given(pair=vectors(grid, grid))
@laws
def test_the_distance_is_symmetric(variant, pair):
    x, y = pair
    assert distance(variant, x, y) == pytest.approx(distance(variant, y, x), abs=1e-15)


@pytest.mark.parametrize('variant', METRICS)
@given(triple=vectors(grid, grid, grid))
@laws
def test_the_distance_obeys_the_triangle_inequality(variant, triple):
    a, b, c = triple
    detour = distance(variant, a, b) + distance(variant, b, c)
    assert distance(variant, a, c) <= detour + 1e-12


def test_sjl_l1_of_a_half_and_itself_is_two_thirds():
    assert distance('sjl_l1', [0.5], [0.5]) == pytest.approx(2 / 3, abs=1e-15)


def test_sjl_l2_breaks_the_triangle_inequality():
    a, b, c = [0.8], [0.4], [0.2]
    detour = distance('sjl_l2', a, b) + distance('sjl_l2', b, c)
    assert distance('sjl_l2', a, c) > detour + 0.02


@pytest.mark.parametrize('variant', [*METRICS, 'sjl_l1'])
@given(pair=vectors(grid, grid))
@laws
def test_the_loss_lies_between_zero_and_one(variant, pair):
    assert 0 <= distance(variant, *pair) <= 1


# Theorem 2.3: with hard labels all but sjl_l2 are the same ------------------


@pytest.mark.parametrize('smooth', [0.0, 1.0])
@given(pair=vectors(grid, bits))
@laws
def test_with_a_hard_target_jml1_jml2_and_sjl_l1_are_equal(smooth, pair):
    losses = [distance(v, *pair, smooth=smooth) for v in SOFT_JACCARD_ON_HARD]
    assert_close(losses, [losses[0]] * 3)


@given(pair=vectors(bits, grid))
@laws
def test_with_hard_probs_jml1_jml2_and_sjl_l1_are_equal(pair):
    losses = [distance(v, *pair) for v in SOFT_JACCARD_ON_HARD]
    assert_close(losses, [losses[0]] * 3)


@given(pair=vectors(grid, bits))
@laws
def test_with_a_hard_target_even_the_three_sums_are_equal(pair):
    x, y = (one_class(part) for part in pair)
    first, *others = (
        torch.cat(tuple(overlap_sums(x, y, variant=variant)))
        for variant in SOFT_JACCARD_ON_HARD
    )
    for other in others:
        assert_close(other, first)


@given(pair=vectors(bits, bits))
@laws
def test_between_hard_vectors_every_variant_is_one_minus_iou(pair):
    x, y = pair
    union = sum(1 for a, b in zip(x, y, strict=True) if a or b)
    both = sum(1 for a, b in zip(x, y, strict=True) if a and b)
    expected = 1 - both / union if union else 0.0
    assert_close([distance(v, x, y) for v in VARIANTS], [expected] * 4)


def test_with_a_soft_target_the_variants_differ():
    losses = [distance(variant, [0.8], [0.5]) for variant in SOFT_JACCARD_ON_HARD]
    assert_close(losses, [1 - 0.5 / 0.8, 1 - 0.4 / 0.7, 1 - 0.4 / 0.9])


def test_with_a_hard_target_sjl_l2_differs():
    losses = [distance(variant, [0.5], [1.0]) for variant in ('jml1', 'sjl_l2')]
    assert_close(losses, [1 / 2, 1 / 3])


# Section 2.2: where is the loss least? --------------------------------------


@pytest.mark.parametrize('options', OPTIONS)
@pytest.mark.parametrize('variant', LEAST_AT_TARGET)
@given(pair=vectors(grid, grid))
@laws
def test_the_loss_is_least_where_probs_are_the_target(variant, options, pair):
    x, y = pair
    at_target = distance(variant, y, y, **options)
    assert at_target == pytest.approx(0, abs=1e-15)
    if x != y:
        assert distance(variant, x, y, **options) > 0


@given(x=grid, y=st.integers(1, 63).map(lambda step: step / 64))
@laws
def test_sjl_l1_of_one_pixel_is_least_at_one_whatever_the_target(x, y):
    assert distance('sjl_l1', [1.0], [y]) <= distance('sjl_l1', [x], [y])
    assert distance('sjl_l1', [1.0], [y]) < distance('sjl_l1', [y], [y])


@pytest.mark.parametrize('variant', METRICS)
@given(
    y=st.lists(st.integers(8, 56).map(lambda step: step / 64), min_size=1, max_size=6),
    pixel=st.integers(0, 5),
    step=st.sampled_from([-1, 1]),
)
@laws
def test_the_slope_leads_each_pixel_back_to_the_target(variant, y, pixel, step):
    pixel %= len(y)
    x = list(y)
    x[pixel] += step / 16
    assert step * slopes(variant, x, y)[pixel] > 0


# Appendix D: JML1 and JML2 --------------------------------------------------


@given(pair=vectors(grid, grid))
@laws
def test_jml1_is_never_above_jml2(pair):
    assert distance('jml1', *pair) <= distance('jml2', *pair) + 1e-15


@pytest.mark.parametrize('variant', METRICS)
def test_figure_3_neither_is_concave_in_its_piece(variant):
    y, x, other = [0.5, 0.5], [0.4087, 0.7855], [0.6285, 0.7551]
    middle = [(a + b) / 2 for a, b in zip(x, other, strict=True)]
    mean = (distance(variant, x, y) + distance(variant, other, y)) / 2
    assert mean > distance(variant, middle, y)


# Appendix E: where sjl_l1 pushes a pixel ------------------------------------

inner = st.integers(1, 63).map(lambda step: step / 64)


def turning_point(x: list[float], y: list[float]) -> float:
    """r_2, equation 65, from the pixels other than the one looked at."""
    b = sum(p * q for p, q in zip(x, y, strict=True))
    a = sum(x) + sum(y) - b
    return (-(a + b) + math.sqrt((a + b) ** 2 + 4 * b)) / 2


@given(pair=vectors(inner, inner), x=inner)
@laws
def test_sjl_l1_pushes_a_pixel_up_where_its_target_is_above_r2(pair, x):
    y = turning_point(*pair)
    assert 0 <= y <= 1
    above = y + 0.1 * (1 - y)
    assert slopes('sjl_l1', [x, *pair[0]], [above, *pair[1]])[0] < 0


@given(pair=vectors(inner, inner), x=inner)
@laws
def test_sjl_l1_pushes_a_pixel_down_where_its_target_is_below_r2(pair, x):
    below = 0.9 * turning_point(*pair)
    assert slopes('sjl_l1', [x, *pair[0]], [below, *pair[1]])[0] > 0


@given(pair=vectors(inner, inner), x=inner)
@laws
def test_sjl_l1_leaves_a_pixel_whose_target_is_r2(pair, x):
    target = turning_point(*pair)
    slope = slopes('sjl_l1', [x, *pair[0]], [target, *pair[1]])[0]
    assert slope == pytest.approx(0, abs=1e-12)


# The Dice semimetric loss (arXiv 2303.16296) --------------------------------


@given(pair=vectors(grid, grid))
@laws
def test_half_weights_with_jml1_are_the_dice_semimetric_loss(pair):
    x, y = pair
    mass = sum(x) + sum(y)
    assume(mass > 0)
    difference = sum(abs(a - b) for a, b in zip(x, y, strict=True))
    expected = difference / mass
    assert_close(distance('jml1', x, y, alpha=0.5, beta=0.5), expected)


def test_half_weights_break_the_triangle_inequality():
    a, b, c = [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]
    dice = {'alpha': 0.5, 'beta': 0.5}
    detour = distance('jml1', a, b, **dice) + distance('jml1', b, c, **dice)
    assert distance('jml1', a, c, **dice) > detour + 0.3
