"""What must not change cross-entropy and KL divergence, and where they are least."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.functional.cross_entropy import cross_entropy, kl_divergence
from tests.functional.cases import (
    assert_close,
    cases,
    laws,
    random_case,
    seeds,
    tensor,
    tensors,
    value_and_gradient,
)
from tests.functional.cross_entropy_cases import (
    LOSSES,
    distribution,
    logits_of,
    measure,
    softmax_cases,
)

# Laws -----------------------------------------------------------------------


@given(case=softmax_cases)
@laws
def test_no_weight_is_a_weight_of_one(case):
    logits, target = tensor(logits_of(case)), tensor(case.target)
    ones = torch.ones(case.weight.shape, dtype=torch.float64)
    for loss in (cross_entropy, kl_divergence):
        assert_close(loss(logits, target), loss(logits, target, ones))


@given(case=cases(), sigmoid=st.booleans(), loud=st.sampled_from([-1e4, 1e4]))
@laws
def test_ignored_pixels_change_neither_value_nor_gradient(case, sigmoid, loud):
    _, target, weight = tensors(case)
    ignored = (weight == 0)[:, None]
    logits = tensor(logits_of(case))
    expected = measure(case, sigmoid)
    noisy = torch.where(ignored, 1.0, target)
    actual = value_and_gradient(
        lambda z: cross_entropy(z, noisy, weight, sigmoid=sigmoid),
        torch.where(ignored, loud, logits),
    )
    for number, clean in zip(actual, expected, strict=True):
        assert_close(number, clean)
    assert not np.moveaxis(actual[1], 1, -1)[case.weight == 0].any()


@given(case=softmax_cases, loud=st.sampled_from([-1e4, 1e4]))
@laws
def test_ignored_pixels_change_no_divergence(case, loud):
    _, target, weight = tensors(case)
    ignored = (weight == 0)[:, None]
    logits = tensor(logits_of(case))
    expected = value_and_gradient(lambda z: kl_divergence(z, target, weight), logits)
    noisy = torch.where(ignored, 1.0, target)
    actual = value_and_gradient(
        lambda z: kl_divergence(z, noisy, weight), torch.where(ignored, loud, logits)
    )
    for number, clean in zip(actual, expected, strict=True):
        assert_close(number, clean)


@pytest.mark.parametrize('name', LOSSES)
def test_an_all_ignored_batch_is_a_zero_with_a_zero_gradient(name):
    case = random_case(0, (2, 3, 4, 5))
    target, weight = tensor(case.target), torch.zeros(2, 4, 5)
    loss, gradient = value_and_gradient(
        lambda z: LOSSES[name](z, target, weight), logits_of(case)
    )
    assert loss == 0
    assert not gradient.any()


def test_class_weights_of_zero_are_a_zero_with_a_zero_gradient():
    case = random_case(0, (2, 3, 4, 5))
    loss, gradient = measure(case, class_weight=torch.zeros(3).double())
    assert loss == 0
    assert not gradient.any()


@pytest.mark.parametrize('name', LOSSES)
@given(seed=seeds)
@laws
def test_an_all_ignored_image_changes_nothing(name, seed):
    case = random_case(seed, (2, 3, 2, 3))
    logits, (_, target, weight) = tensor(logits_of(case)), tensors(case)
    weight[1] = 0
    alone = LOSSES[name](logits[:1], target[:1], weight[:1])
    assert_close(LOSSES[name](logits, target, weight), alone)


@given(case=cases(), sigmoid=st.booleans(), scale=st.sampled_from([0.25, 1e4]))
@laws
def test_the_scale_of_the_weights_does_not_matter(case, sigmoid, scale):
    scaled = case.with_(weight=case.weight * scale)
    for number, expected in zip(
        measure(scaled, sigmoid), measure(case, sigmoid), strict=True
    ):
        assert_close(number, expected)


@given(case=softmax_cases)
@laws
def test_equal_class_weights_are_none(case):
    case = distribution(case)
    equal = torch.full((case.probs.shape[1],), 2.5, dtype=torch.float64)
    with_weights = measure(case, class_weight=equal)
    for number, expected in zip(with_weights, measure(case), strict=True):
        assert_close(number, expected)


@given(case=softmax_cases, seed=seeds)
@laws
def test_the_order_of_the_classes_does_not_matter(case, seed):
    logits, (_, target, weight) = tensor(logits_of(case)), tensors(case)
    order = np.random.default_rng(seed).permutation(target.shape[1])
    for loss in (cross_entropy, kl_divergence):
        permuted = loss(logits[:, order], target[:, order], weight)
        assert_close(permuted, loss(logits, target, weight))


@given(case=softmax_cases)
@laws
def test_softmax_does_not_see_a_shift_of_a_pixels_logits(case):
    logits, (_, target, weight) = tensor(logits_of(case)), tensors(case)
    shift = tensor(case.weight)[:, None] * 50
    for loss in (cross_entropy, kl_divergence):
        shifted = loss(logits + shift, target, weight)
        assert_close(shifted, loss(logits, target, weight))


@given(seed=seeds)
@laws
def test_sigmoid_is_the_softmax_of_two_classes(seed):
    case = random_case(seed, (2, 1, 3, 4))
    logits, (_, target, weight) = tensor(logits_of(case)), tensors(case)
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    both = torch.cat([1 - target, target], dim=1)
    one = cross_entropy(logits, target, weight, sigmoid=True)
    assert_close(cross_entropy(two, both, weight), one)


@pytest.mark.parametrize('loss', [cross_entropy, kl_divergence])
@given(case=softmax_cases)
@laws
def test_where_probs_are_the_target_the_slope_is_zero(loss, case):
    _, target, weight = tensors(distribution(case))
    logits = (target + 1e-30).log()
    _, slope = value_and_gradient(lambda z: loss(z, target, weight), logits)
    np.testing.assert_allclose(slope, 0, atol=1e-15)


@given(case=softmax_cases)
@laws
def test_kl_of_a_distribution_and_itself_is_zero(case):
    _, target, weight = tensors(distribution(case))
    divergence = kl_divergence((target + 1e-30).log(), target, weight)
    assert float(divergence) == pytest.approx(0, abs=1e-14)


@given(case=softmax_cases)
@laws
def test_kl_of_a_distribution_is_never_negative(case):
    _, target, weight = tensors(distribution(case))
    assert kl_divergence(tensor(logits_of(case)), target, weight) >= -1e-15


@given(case=softmax_cases)
@laws
def test_cross_entropy_is_kl_plus_the_entropy_of_the_target(case):
    logits, (_, target, weight) = tensor(logits_of(case)), tensors(case)
    entropy = -(torch.special.xlogy(target, target).sum(1) * weight).sum()
    entropy /= weight.sum().clamp(min=1e-300)
    kl = kl_divergence(logits, target, weight)
    assert_close(cross_entropy(logits, target, weight), kl + entropy)


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_logits_of_ten_thousand_give_finite_numbers(dtype, name):
    logits = torch.tensor([[[1e4, -1e4], [-1e4, 1e4], [0, 0]]], dtype=dtype)
    target = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]], dtype=dtype)
    weight = torch.ones(1, 2, dtype=dtype)
    loss, gradient = value_and_gradient(
        lambda z: LOSSES[name](z, target, weight), logits
    )
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize('loss', [cross_entropy, kl_divergence])
def test_the_target_gets_no_gradient(loss):
    logits = torch.randn(1, 3, 4, requires_grad=True)
    teacher = torch.randn(1, 3, 4, requires_grad=True)
    loss(logits, teacher.softmax(1)).backward()
    assert logits.grad.any()
    assert teacher.grad is None
