"""The references are oracles: what they derive by hand agrees with differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.functional.cases import (
    MODES,
    REDUCTIONS,
    VARIANTS,
    finite_differences,
    laws,
    random_case,
    seeds,
)
from tests.reference import cross_entropy as ce
from tests.reference import jaccard

SHAPE = (2, 3, 2, 3)
LOSSES = (
    {},
    {'alpha': 0.5, 'beta': 0.5, 'gamma': 2.0},
    {'log_loss': True, 'smooth': 0.001},
    {'log_loss': True, 'gamma': 1.5, 'smooth': 0.1},
)


@pytest.mark.parametrize('sigmoid', [False, True])
@pytest.mark.parametrize('variant', VARIANTS)
@given(
    seed=seeds,
    mode=st.sampled_from(MODES),
    reduction=st.sampled_from(REDUCTIONS),
    options=st.sampled_from(LOSSES),
)
@laws
def test_the_jaccard_gradient_by_hand_agrees_with_differences(
    variant, sigmoid, seed, mode, reduction, options
):
    case = random_case(seed, SHAPE)
    logits = np.random.default_rng(seed).normal(0, 2, SHAPE)
    options = {
        'variant': variant,
        'active_classes': mode,
        'sigmoid': sigmoid,
        **options,
    }
    options['reduction'] = {reduction: 1.0}

    def loss_and_gradient(z: np.ndarray) -> tuple[float, np.ndarray]:
        return jaccard.jaccard_loss_from_logits(z, case.target, case.weight, **options)

    _, by_hand = loss_and_gradient(logits)
    slopes = finite_differences(lambda z: loss_and_gradient(z)[0], logits)
    np.testing.assert_allclose(by_hand, slopes, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize('class_weight', [None, np.array([0.5, 2.0, 1.0])])
@pytest.mark.parametrize('sigmoid', [False, True])
@given(seed=seeds)
@laws
def test_the_cross_entropy_gradient_by_hand_agrees_with_differences(
    class_weight, sigmoid, seed
):
    case = random_case(seed, SHAPE)
    logits = np.random.default_rng(seed).normal(0, 2, SHAPE)

    def loss_and_gradient(z: np.ndarray) -> tuple[float, np.ndarray]:
        return ce.cross_entropy(z, case.target, case.weight, class_weight, sigmoid)

    _, by_hand = loss_and_gradient(logits)
    slopes = finite_differences(lambda z: loss_and_gradient(z)[0], logits)
    np.testing.assert_allclose(by_hand, slopes, rtol=1e-6, atol=1e-8)


@given(seed=seeds)
@laws
def test_the_kl_gradient_by_hand_agrees_with_differences(seed):
    case = random_case(seed, SHAPE)
    logits = np.random.default_rng(seed).normal(0, 2, SHAPE)
    _, by_hand = ce.kl_divergence(logits, case.target, case.weight)
    slopes = finite_differences(
        lambda z: ce.kl_divergence(z, case.target, case.weight)[0], logits
    )
    np.testing.assert_allclose(by_hand, slopes, rtol=1e-6, atol=1e-8)


@given(seed=seeds)
@laws
def test_a_hard_label_is_its_one_hot_target_without_the_ignored_pixels(seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, SHAPE)
    label = rng.choice([0, 1, 2, 255], (2, 2, 3))
    target = np.stack([label == c for c in range(3)], axis=1).astype(float)
    valid = (label != 255).astype(float)
    hard, by_hard = jaccard.jaccard_loss_from_logits(logits, label)
    soft, by_soft = jaccard.jaccard_loss_from_logits(logits, target, valid)
    assert hard == soft
    np.testing.assert_array_equal(by_hard, by_soft)
