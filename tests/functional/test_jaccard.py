"""The Jaccard losses agree with the loops from the paper, in value and gradient."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.functional import jaccard
from tests.functional.cases import (
    MODES,
    SHAPES,
    VARIANTS,
    assert_close,
    cases,
    laws,
    random_case,
    seeds,
    tensor,
    tensors,
    value_and_gradient,
)
from tests.reference import jaccard as reference

# FP and FN of sjl_l2 can be below zero: with unequal weights its score passes 1
EQUAL_WEIGHTS = ((1.0, 1.0), (0.5, 0.5), (2.0, 2.0))
WEIGHTS = (*EQUAL_WEIGHTS, (0.7, 0.3), (0.0, 1.0), (1.0, 0.0))


@st.composite
def loss_options(draw, variant: str) -> dict:
    """Options of `overlap_loss` at which the loss is finite."""
    weights = EQUAL_WEIGHTS if variant == 'sjl_l2' else WEIGHTS
    alpha, beta = draw(st.sampled_from(weights))
    log_loss = draw(st.booleans())
    # the logarithm of no overlap at all is infinite without smoothing
    smooth = draw(st.sampled_from([1.0, 0.001] if log_loss else [1.0, 0.001, 0.0]))
    gamma = draw(st.sampled_from([1.0, 1.5, 2.0]))
    return {
        'alpha': alpha,
        'beta': beta,
        'gamma': gamma,
        'log_loss': log_loss,
        'smooth': smooth,
    }


@st.composite
def options(draw, variant: str) -> dict:
    """Options of `jaccard_loss`, without class weights."""
    share = st.sampled_from([0.0, 0.25, 1.0])
    return {
        'variant': variant,
        'active_classes': draw(st.sampled_from(MODES)),
        'threshold': draw(st.sampled_from([0.01, 0.3])),
        'reduction': draw(
            st.fixed_dictionaries(
                {}, optional={'batch': share, 'image': share, 'per_class': share}
            ).filter(lambda shares: any(shares.values()))
        ),
        'sigmoid': draw(st.booleans()),
        **draw(loss_options(variant)),
    }


@pytest.mark.parametrize('variant', VARIANTS)
@given(case=cases())
@laws
def test_overlap_sums_agree_with_the_reference(variant, case):
    sums = jaccard.overlap_sums(*tensors(case), variant=variant)
    expected = reference.overlap_sums(case.probs, case.target, case.weight, variant)
    for actual, loop in zip(sums, expected, strict=True):
        assert_close(actual, loop)


@pytest.mark.parametrize('variant', VARIANTS)
@given(case=cases())
@laws
def test_overlap_sums_in_float32_agree_with_the_reference(variant, case):
    case = case.as_type(np.float32)
    sums = jaccard.overlap_sums(*tensors(case), variant=variant)
    expected = reference.overlap_sums(case.probs, case.target, case.weight, variant)
    # Together: an error of the counts is a difference of sums, measured by these.
    assert_close(torch.stack(list(sums)), np.stack(list(expected)), 1e-6)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_overlap_sums_are_float64(dtype):
    probs = torch.rand(2, 3, 4, 5, dtype=dtype)
    sums = jaccard.overlap_sums(probs, probs)
    assert {part.dtype for part in sums} == {torch.float64}
    assert {part.shape for part in sums} == {(2, 3)}


@pytest.mark.parametrize('variant', VARIANTS)
@given(data=st.data(), seed=seeds)
@laws
def test_overlap_loss_agrees_with_the_reference_in_value_and_slope(variant, data, seed):
    chosen = data.draw(loss_options(variant))
    sums = np.random.default_rng(seed).uniform(0.01, 9, (3, 2, 4))
    points = [tensor(part).requires_grad_(True) for part in sums]
    loss = jaccard.overlap_loss(jaccard.OverlapSums(*points), **chosen)
    slopes = torch.autograd.grad(loss.sum(), points)
    for place in np.ndindex(2, 4):
        totals = [part[place] for part in sums]
        assert_close(loss[place].item(), reference.overlap_loss(*totals, **chosen))
        by_hand = reference.overlap_loss_slopes(*totals, **chosen)
        assert_close([slope[place].item() for slope in slopes], by_hand)


@pytest.mark.parametrize('variant', VARIANTS)
@given(data=st.data(), case=cases())
@laws
def test_the_loss_agrees_with_the_reference_in_value_and_gradient(variant, data, case):
    chosen = data.draw(options(variant))
    _, target, weight = tensors(case)
    actual = value_and_gradient(
        lambda p: jaccard.jaccard_loss(p, target, weight, **chosen), case.probs
    )
    expected = reference.jaccard_loss_and_gradient(
        case.probs, case.target, case.weight, **chosen
    )
    for number, loop in zip(actual, expected, strict=True):
        assert_close(number, loop)


@pytest.mark.parametrize('variant', VARIANTS)
@given(data=st.data(), case=cases())
@laws
def test_the_loss_in_float32_agrees_with_the_reference(variant, data, case):
    chosen = data.draw(options(variant))
    case = case.as_type(np.float32)
    _, target, weight = tensors(case)
    actual = value_and_gradient(
        lambda p: jaccard.jaccard_loss(p, target, weight, **chosen), case.probs
    )
    expected = reference.jaccard_loss_and_gradient(
        case.probs, case.target, case.weight, **chosen
    )
    for number, loop in zip(actual, expected, strict=True):
        assert_close(number, loop, 1e-6)


@given(data=st.data(), case=cases(), seed=seeds)
@laws
def test_class_weights_agree_with_the_reference(data, case, seed):
    chosen = data.draw(options('jml1'))
    class_weight = np.random.default_rng(seed).uniform(0, 3, case.probs.shape[1])
    _, target, weight = tensors(case)
    actual = value_and_gradient(
        lambda p: jaccard.jaccard_loss(
            p, target, weight, class_weight=tensor(class_weight), **chosen
        ),
        case.probs,
    )
    expected = reference.jaccard_loss_and_gradient(
        case.probs, case.target, case.weight, class_weight=class_weight, **chosen
    )
    for number, loop in zip(actual, expected, strict=True):
        assert_close(number, loop)


@pytest.mark.parametrize('sigmoid', [False, True])
@pytest.mark.parametrize('variant', VARIANTS)
@given(data=st.data(), seed=seeds, shape=st.sampled_from(SHAPES[:7]))
@laws
def test_the_gradient_reaches_the_logits(variant, sigmoid, data, seed, shape):
    chosen = {**data.draw(options(variant)), 'sigmoid': sigmoid}
    case = random_case(seed, shape)
    logits = np.random.default_rng(seed).normal(0, 2, shape)
    _, target, weight = tensors(case)

    def loss(z: torch.Tensor) -> torch.Tensor:
        probs = z.sigmoid() if sigmoid else z.softmax(1)
        return jaccard.jaccard_loss(probs, target, weight, **chosen)

    expected = reference.jaccard_loss_from_logits(
        logits, case.target, case.weight, **chosen
    )
    for number, loop in zip(value_and_gradient(loss, logits), expected, strict=True):
        assert_close(number, loop)


@pytest.mark.parametrize('log_loss', [False, True])
@pytest.mark.parametrize('gamma', [1.0, 1.5])
@pytest.mark.parametrize('variant', VARIANTS)
def test_the_gradient_agrees_with_differences(variant, gamma, log_loss):
    probs, target, weight = tensors(random_case(1, (2, 3, 2, 3)))
    reduction = {'batch': 0.5, 'image': 0.25, 'per_class': 0.25}

    def loss(p: torch.Tensor) -> torch.Tensor:
        return jaccard.jaccard_loss(
            p,
            target,
            weight,
            variant=variant,
            reduction=reduction,
            gamma=gamma,
            log_loss=log_loss,
        )

    assert torch.autograd.gradcheck(loss, probs.requires_grad_(True))


@pytest.mark.parametrize('variant', VARIANTS)
def test_the_gradient_scales_with_the_upstream_gradient(variant):
    probs, target, weight = tensors(random_case(2, (2, 3, 4, 5)))

    def loss(p: torch.Tensor) -> torch.Tensor:
        return jaccard.jaccard_loss(p, target, weight, variant=variant)

    _, once = value_and_gradient(loss, probs)
    _, thrice = value_and_gradient(lambda p: 3 * loss(p), probs)
    assert_close(thrice, 3 * once)


@pytest.mark.parametrize('variant', VARIANTS)
def test_the_inputs_are_left_as_they_were(variant):
    case = random_case(3, (2, 3, 4, 5))
    given_tensors = tensors(case)
    probs = given_tensors[0].requires_grad_(True)
    jaccard.jaccard_loss(*given_tensors, variant=variant).backward()
    for now, before in zip((probs, *given_tensors[1:]), tensors(case), strict=True):
        assert torch.equal(now.detach(), before)


# Precision -------------------------------------------------------------


def test_sums_keep_counting_where_float32_stops():
    ones = torch.ones(1, 1, 2**24 + 1)
    assert float(jaccard.overlap_sums(ones, ones).intersection) == 2**24 + 1


def class_of(overlap: float, mistakes: float, **chosen) -> float:
    """The loss of a class with this overlap and these false positives."""
    sums = (torch.tensor(v, dtype=torch.float64) for v in (overlap, mistakes, 0.0))
    return jaccard.overlap_loss(jaccard.OverlapSums(*sums), smooth=0.0, **chosen).item()


def test_a_small_mistake_keeps_its_digits():
    assert class_of(1.0, 1e-20) == pytest.approx(1e-20, rel=1e-12)


def test_the_logarithm_of_a_small_overlap_keeps_its_digits():
    expected = -math.log(1e-12)
    assert class_of(1e-12, 1.0, log_loss=True) == pytest.approx(expected, rel=1e-12)


def small_class() -> tuple[torch.Tensor, torch.Tensor]:
    """Forty pixels of a class beside a false mass of 26 thousand, in float32."""
    rng = np.random.default_rng(0)
    probs = rng.uniform(0.05, 0.15, (1, 1, 512 * 512)).astype(np.float32)
    target = np.zeros_like(probs)
    target[..., :40] = 1.0
    probs[..., :40] = rng.uniform(0.01, 0.03, 40)
    return tensor(probs), tensor(target)


@pytest.mark.parametrize('variant', VARIANTS)
def test_a_small_class_is_not_cancelled_by_a_large_false_mass(variant):
    probs, target = small_class()
    sums = jaccard.overlap_sums(probs, target, variant=variant)
    expected = jaccard.overlap_sums(probs.double(), target.double(), variant=variant)
    by_hand = reference.overlap_sums(probs[..., :40].numpy(), target[..., :40].numpy())
    assert float(sums[0]) == pytest.approx(by_hand[0].item(), rel=1e-6)
    for actual, exact in zip(sums, expected, strict=True):
        assert float(actual) == pytest.approx(float(exact), rel=1e-6)


@pytest.mark.parametrize('log_loss', [False, True])
@pytest.mark.parametrize('variant', VARIANTS)
def test_a_million_pixels_in_float32_agree_with_float64(variant, log_loss):
    rng = np.random.default_rng(0)
    probs = rng.random((1, 2, 1000, 1000), dtype=np.float32)
    target = rng.random((1, 2, 1000, 1000), dtype=np.float32) ** 8
    single, double = (
        value_and_gradient(
            lambda p, d=dtype: jaccard.jaccard_loss(
                p, tensor(target).to(d), variant=variant, log_loss=log_loss
            ),
            tensor(probs).to(dtype),
        )
        for dtype in (torch.float32, torch.float64)
    )
    assert single[0] == pytest.approx(double[0], rel=1e-6)
    error = np.abs(single[1] - double[1]).max()
    assert error <= 1e-6 * np.abs(double[1]).max()


def test_a_million_pixels_agree_with_exact_sums():
    rng = np.random.default_rng(0)
    probs, target = rng.random((2, 1, 1, 1_000_000), dtype=np.float32)
    sums = jaccard.overlap_sums(tensor(probs), tensor(target))
    x, y = probs.astype(float), target.astype(float)
    exact = (np.minimum(x, y), np.maximum(x - y, 0), np.maximum(y - x, 0))
    for actual, part in zip(sums, exact, strict=True):
        assert float(actual) == pytest.approx(part.sum(), rel=1e-6)
