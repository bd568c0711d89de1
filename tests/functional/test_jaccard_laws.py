"""What must not change the Jaccard losses: ignored pixels, empty classes, order."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.functional.jaccard import jaccard_loss
from tests.functional.cases import (
    METRICS,
    MODES,
    REDUCTIONS,
    VARIANTS,
    Case,
    assert_close,
    cases,
    laws,
    random_case,
    seeds,
    tensor,
    value_and_gradient,
)
from tests.functional.jaccard_cases import measure, modes, only, smooths, value

# Ignored pixels -------------------------------------------------------------


@pytest.mark.parametrize('reduction', REDUCTIONS)
@pytest.mark.parametrize('variant', VARIANTS)
@given(case=cases(), mode=modes, smooth=smooths, loud=st.sampled_from([-1e3, 1.0, 1e9]))
@laws
def test_ignored_pixels_change_neither_value_nor_gradient(
    variant, reduction, case, mode, smooth, loud
):
    options = {'variant': variant, 'active_classes': mode, 'smooth': smooth}
    options['reduction'] = only(reduction)
    ignored = (case.weight == 0)[:, None]
    noisy = case.with_(
        probs=np.where(ignored, loud, case.probs),
        target=np.where(ignored, loud, case.target),
    )
    for actual, expected in zip(
        measure(noisy, **options), measure(case, **options), strict=True
    ):
        assert_close(actual, expected)


@pytest.mark.parametrize('reduction', REDUCTIONS)
@pytest.mark.parametrize('variant', VARIANTS)
@given(case=cases(), mode=modes)
@laws
def test_ignored_pixels_get_no_gradient(variant, reduction, case, mode):
    _, gradient = measure(
        case, variant=variant, active_classes=mode, reduction=only(reduction)
    )
    assert not np.moveaxis(gradient, 1, -1)[case.weight == 0].any()


@pytest.mark.parametrize('smooth', [0.0, 1.0])
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('reduction', REDUCTIONS)
@pytest.mark.parametrize('variant', VARIANTS)
def test_an_all_ignored_batch_is_a_zero_with_a_zero_gradient(
    variant, reduction, mode, smooth
):
    case = random_case(0, (2, 3, 4, 5))
    case = case.with_(weight=np.zeros_like(case.weight))
    for log_loss in (False, True):
        loss, gradient = measure(
            case,
            variant=variant,
            reduction=only(reduction),
            active_classes=mode,
            smooth=smooth,
            log_loss=log_loss,
        )
        assert loss == 0
        assert not gradient.any()


@pytest.mark.parametrize('reduction', REDUCTIONS)
@pytest.mark.parametrize('variant', VARIANTS)
@given(case=cases(), mode=modes, smooth=smooths)
@laws
def test_an_all_ignored_image_changes_nothing(variant, reduction, case, mode, smooth):
    longer = Case(
        *(np.concatenate([part, part[:1]]) for part in (case.probs, case.target)),
        np.concatenate([case.weight, np.zeros_like(case.weight[:1])]),
    )
    options = {'variant': variant, 'active_classes': mode, 'smooth': smooth}
    options['reduction'] = only(reduction)
    loss, gradient = measure(longer, **options)
    expected, slopes = measure(case, **options)
    assert_close(loss, expected)
    assert_close(gradient[:-1], slopes)


# Nothing to count -----------------------------------------------------------


@pytest.mark.parametrize('log_loss', [False, True])
@pytest.mark.parametrize('gamma', [1.0, 1.5])
@pytest.mark.parametrize('variant', VARIANTS)
def test_without_mass_and_smooth_the_loss_is_zero(variant, gamma, log_loss):
    empty = torch.zeros(1, 1, 4)
    loss, gradient = value_and_gradient(
        lambda p: jaccard_loss(
            p,
            empty,
            variant=variant,
            active_classes='all',
            smooth=0.0,
            gamma=gamma,
            log_loss=log_loss,
        ),
        empty,
    )
    assert loss == 0
    assert np.isfinite(gradient).all()


def test_a_class_without_mass_leaves_the_others_their_gradient():
    case = random_case(0, (1, 3, 4))
    for part in (case.probs, case.target):
        part[:, 1] = 0
    _, gradient = measure(case, active_classes='all', smooth=0.0)
    _, present = measure(
        Case(case.probs[:, [0, 2]], case.target[:, [0, 2]], case.weight),
        active_classes='all',
        smooth=0.0,
    )
    assert_close(gradient[:, [0, 2]], present * 2 / 3)


@pytest.mark.parametrize('smooth', [0.0, 1.0])
@pytest.mark.parametrize('gamma', [1.0, 1.5])
@pytest.mark.parametrize('log_loss', [False, True])
@pytest.mark.parametrize('variant', METRICS)
def test_a_perfect_prediction_has_a_finite_gradient(variant, log_loss, gamma, smooth):
    case = random_case(0, (2, 3, 4, 5))
    _, gradient = measure(
        case.with_(probs=case.target),
        variant=variant,
        log_loss=log_loss,
        gamma=gamma,
        smooth=smooth,
    )
    assert np.isfinite(gradient).all()


# Permutations ---------------------------------------------------------------


@pytest.mark.parametrize('reduction', REDUCTIONS)
@given(case=cases(), mode=modes, seed=seeds)
@laws
def test_the_order_of_the_classes_does_not_matter(reduction, case, mode, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(case.probs.shape[1])
    weights = rng.random(len(order))
    permuted = case.with_(probs=case.probs[:, order], target=case.target[:, order])
    options = {'active_classes': mode, 'reduction': only(reduction)}
    loss, gradient = measure(permuted, class_weight=tensor(weights[order]), **options)
    expected, slopes = measure(case, class_weight=tensor(weights), **options)
    assert_close(loss, expected)
    assert_close(gradient, slopes[:, order])


@pytest.mark.parametrize('reduction', REDUCTIONS)
@given(case=cases(), mode=modes, seed=seeds)
@laws
def test_the_order_of_the_pixels_does_not_matter(reduction, case, mode, seed):
    flat = Case(
        *(part.reshape(*part.shape[:2], -1) for part in (case.probs, case.target)),
        case.weight.reshape(len(case.weight), -1),
    )
    order = np.random.default_rng(seed).permutation(flat.probs.shape[-1])
    permuted = Case(
        flat.probs[..., order], flat.target[..., order], flat.weight[:, order]
    )
    options = {'active_classes': mode, 'reduction': only(reduction)}
    loss, gradient = measure(permuted, **options)
    expected, slopes = measure(case, **options)
    assert_close(loss, expected)
    assert_close(gradient, slopes.reshape(flat.probs.shape)[..., order])


@pytest.mark.parametrize('reduction', REDUCTIONS)
@given(case=cases(), mode=modes, seed=seeds)
@laws
def test_the_order_of_the_images_does_not_matter(reduction, case, mode, seed):
    order = np.random.default_rng(seed).permutation(len(case.probs))
    permuted = Case(case.probs[order], case.target[order], case.weight[order])
    options = {'active_classes': mode, 'reduction': only(reduction)}
    assert_close(value(permuted, **options), value(case, **options))
