"""Cross-entropy and KL divergence agree with the loops and with torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given

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
    SOFTMAX_SHAPES,
    logits_of,
    measure,
    softmax_cases,
)
from tests.reference import cross_entropy as reference


@pytest.mark.parametrize('weighted_classes', [False, True])
@pytest.mark.parametrize('sigmoid', [False, True])
@given(case=cases(), seed=seeds)
@laws
def test_cross_entropy_agrees_with_the_reference(sigmoid, weighted_classes, case, seed):
    drawn = np.random.default_rng(seed).uniform(0, 3, case.probs.shape[1])
    class_weight = drawn if weighted_classes else None
    actual = measure(
        case, sigmoid, class_weight=tensor(drawn) if weighted_classes else None
    )
    expected = reference.cross_entropy(
        logits_of(case), case.target, case.weight, class_weight, sigmoid
    )
    for number, loop in zip(actual, expected, strict=True):
        assert_close(number, loop)


@pytest.mark.parametrize('sigmoid', [False, True])
@given(case=cases())
@laws
def test_cross_entropy_in_float32_agrees_with_the_reference(sigmoid, case):
    case = case.as_type(np.float32)
    expected = reference.cross_entropy(
        logits_of(case), case.target, case.weight, sigmoid=sigmoid
    )
    loss, gradient = measure(case, sigmoid)
    assert_close(loss, expected[0], 1e-6, floor=1.0)
    # p - y is a difference of numbers near 1, times the pixel's share of the mean
    share = case.weight.max() / max(case.weight.sum(), 1e-30)
    assert_close(gradient, expected[1], 1e-6, floor=share)


@given(case=softmax_cases)
@laws
def test_kl_divergence_agrees_with_the_reference(case):
    _, target, weight = tensors(case)
    actual = value_and_gradient(
        lambda z: kl_divergence(z, target, weight), logits_of(case)
    )
    expected = reference.kl_divergence(logits_of(case), case.target, case.weight)
    for number, loop in zip(actual, expected, strict=True):
        assert_close(number, loop)


@pytest.mark.parametrize('sigmoid', [False, True])
def test_the_cross_entropy_gradient_agrees_with_differences(sigmoid):
    case = random_case(0, (2, 3, 2, 2))
    _, target, weight = tensors(case)
    class_weight = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    logits = tensor(logits_of(case)).requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda z: cross_entropy(
            z, target, weight, class_weight=class_weight, sigmoid=sigmoid
        ),
        logits,
    )


def test_the_kl_gradient_agrees_with_differences():
    case = random_case(0, (2, 3, 2, 2))
    _, target, weight = tensors(case)
    logits = tensor(logits_of(case)).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda z: kl_divergence(z, target, weight), logits)


@pytest.mark.parametrize('weighted_classes', [False, True])
@given(case=cases(kinds=('hard',), shapes=SOFTMAX_SHAPES), seed=seeds)
@laws
def test_with_hard_labels_it_is_the_cross_entropy_of_torch(
    weighted_classes, case, seed
):
    class_weight = np.random.default_rng(seed).uniform(0.1, 3, case.probs.shape[1])
    class_weight = tensor(class_weight) if weighted_classes else None
    case = case.with_(weight=np.sign(case.weight))
    label = np.where(case.weight > 0, case.target.argmax(1), 255)
    if (label == 255).all():
        return
    expected = value_and_gradient(
        lambda z: F.cross_entropy(z, tensor(label), class_weight, ignore_index=255),
        logits_of(case),
    )
    actual = measure(case, class_weight=class_weight)
    for number, torchs in zip(actual, expected, strict=True):
        assert_close(number, torchs)


@pytest.mark.parametrize('weighted_classes', [False, True])
@given(case=cases(), seed=seeds)
@laws
def test_with_sigmoid_it_is_the_binary_cross_entropy_of_torch(
    weighted_classes, case, seed
):
    case = case.with_(weight=np.ones_like(case.weight))
    drawn = np.random.default_rng(seed).uniform(0, 5, case.probs.shape[1])
    weights = tensor(drawn) if weighted_classes else None
    column = (
        None if weights is None else weights.view(-1, *(1,) * (case.probs.ndim - 2))
    )
    expected = value_and_gradient(
        lambda z: F.binary_cross_entropy_with_logits(
            z, tensor(case.target), pos_weight=column
        ),
        logits_of(case),
    )
    actual = measure(case, sigmoid=True, class_weight=weights)
    for number, torchs in zip(actual, expected, strict=True):
        assert_close(number, torchs)


@pytest.mark.parametrize('loss', [cross_entropy, kl_divergence])
def test_the_mean_keeps_counting_where_float32_stops(loss):
    logits, weight = torch.zeros(1, 2, 2), torch.tensor([[2.0**24, 1.0]])
    target = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    of_each = float(loss(logits[..., :1], target[..., :1]))
    assert float(loss(logits, target, weight)) == pytest.approx(of_each, rel=1e-12)


@pytest.mark.parametrize('name', LOSSES)
def test_a_million_pixels_in_float32_agree_with_float64(name):
    rng = np.random.default_rng(0)
    logits = tensor(rng.normal(0, 3, (1, 3, 1000, 1000)).astype(np.float32))
    target = tensor(rng.dirichlet([0.3] * 3, (1, 1000, 1000)).astype(np.float32))
    target, weight = target.movedim(-1, 1).contiguous(), torch.ones(1, 1000, 1000)
    single = LOSSES[name](logits, target, weight).item()
    double = LOSSES[name](logits.double(), target.double(), weight.double()).item()
    assert single == pytest.approx(double, rel=1e-6)
