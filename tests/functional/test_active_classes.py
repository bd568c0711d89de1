"""Which classes count: figure 4 of the paper."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.functional.active_classes import active_classes
from mmseg_jml.functional.boundary import smooth_target
from mmseg_jml.functional.targets import one_hot
from tests.functional.cases import MODES, cases, laws, random_case, seeds, tensors
from tests.reference import active_classes as reference

modes = st.sampled_from(MODES)
thresholds = st.sampled_from([0.0, 0.01, 0.3, 0.9])


def picture(*pixels: list[float]) -> torch.Tensor:
    """One image (1, C, P) from its pixels' class values."""
    return torch.tensor(pixels).T[None]


@pytest.mark.parametrize('sigmoid', [False, True])
@pytest.mark.parametrize('mode', MODES)
@given(case=cases(), threshold=thresholds)
@laws
def test_each_mode_agrees_with_the_reference(mode, sigmoid, case, threshold):
    active = active_classes(
        *tensors(case), mode=mode, threshold=threshold, sigmoid=sigmoid
    )
    assert active.dtype == torch.bool
    expected = reference.active_classes(
        case.probs, case.target, case.weight, mode, threshold, sigmoid
    )
    np.testing.assert_array_equal(active.numpy(), expected)


@pytest.mark.parametrize('mode', MODES)
@given(case=cases(), threshold=thresholds)
@laws
def test_no_weight_is_a_weight_of_one(mode, case, threshold):
    probs, target, weight = tensors(case)
    options = {'mode': mode, 'threshold': threshold}
    without = active_classes(probs, target, **options)
    ones = active_classes(probs, target, torch.ones_like(weight), **options)
    assert torch.equal(without, ones)


@pytest.mark.parametrize('sigmoid', [False, True])
@given(case=cases(), mode=modes)
@laws
def test_ignored_pixels_activate_nothing(sigmoid, case, mode):
    probs, target, weight = tensors(case)
    ignored = (weight == 0)[:, None]
    options = {'mode': mode, 'threshold': 0.5, 'sigmoid': sigmoid}
    loud = [torch.where(ignored, 1e30, part) for part in (probs, target)]
    assert torch.equal(
        active_classes(*loud, weight, **options),
        active_classes(probs, target, weight, **options),
    )


@pytest.mark.parametrize('sigmoid', [False, True])
@pytest.mark.parametrize('mode', MODES)
def test_an_image_without_a_valid_pixel_has_no_active_class(mode, sigmoid):
    probs, target, weight = tensors(random_case(0, (2, 3, 4, 5)))
    weight[0] = 0
    options = {'mode': mode, 'threshold': 0.0, 'sigmoid': sigmoid}
    assert not active_classes(probs, target, weight, **options)[0].any()


@pytest.mark.parametrize('mode', ['label', 'prob', 'both', 'present'])
@given(case=cases(shapes=((3, 4, 2, 3), (2, 3, 9))), threshold=thresholds)
@laws
def test_the_union_over_images_is_the_set_of_the_batch(mode, case, threshold):
    joined = [np.moveaxis(part, 0, 1) for part in (case.probs, case.target)]
    joined = [part.reshape(1, part.shape[0], -1) for part in joined]
    options = {'mode': mode, 'threshold': threshold}
    probs, target, weight = tensors(case)
    by_image = active_classes(probs, target, weight, **options).any(0)
    pooled = reference.active_classes(*joined, case.weight.reshape(1, -1), **options)
    np.testing.assert_array_equal(by_image.numpy(), pooled[0])


@given(case=cases(kinds=('hard',)).filter(lambda case: case.probs.shape[1] > 1))
@laws
def test_with_hard_labels_label_and_present_are_the_same(case):
    assert torch.equal(
        active_classes(*tensors(case), mode='label'),
        active_classes(*tensors(case), mode='present'),
    )


@pytest.mark.parametrize('mode', ['label', 'prob', 'both'])
def test_a_class_at_the_threshold_is_not_active(mode):
    half, quarter = picture([0.5, 0.75]), picture([0.25, 0.375])
    parts = (quarter, quarter) if mode == 'both' else (half, half)
    active = active_classes(*parts, mode=mode, threshold=0.5)
    assert active.tolist() == [[False, True]]


def test_both_is_the_largest_sum_at_one_pixel():
    probs, target = picture([0.5, 0.5], [0.0, 1.0]), picture([0.0, 1.0], [0.5, 0.5])
    active = active_classes(probs, target, mode='both', threshold=0.75)
    assert active.tolist() == [[False, True]]


@pytest.mark.parametrize(('epsilon', 'same_as'), [(0.5, 'all'), (0.02, 'present')])
def test_label_smoothing_makes_label_all_or_present(epsilon, same_as):
    target = smooth_target(one_hot(torch.tensor([[0, 2]]), 4), epsilon)
    probs = torch.full_like(target, 0.25)
    label = active_classes(probs, target, mode='label', threshold=0.01)
    assert torch.equal(label, active_classes(probs, target, mode=same_as))


def test_with_sigmoid_several_classes_of_one_pixel_are_present():
    target = picture([0.9, 0.6, 0.5])
    active = active_classes(target, target, mode='present', sigmoid=True)
    assert active.tolist() == [[True, True, False]]


@pytest.mark.parametrize('sigmoid', [False, True])
@given(case=cases(), mode=modes, seed=seeds)
@laws
def test_permuting_the_classes_permutes_the_active_ones(sigmoid, case, mode, seed):
    probs, target, weight = tensors(case)
    order = np.random.default_rng(seed).permutation(probs.shape[1])
    options = {'mode': mode, 'threshold': 0.3, 'sigmoid': sigmoid}
    assert torch.equal(
        active_classes(probs[:, order], target[:, order], weight, **options),
        active_classes(probs, target, weight, **options)[:, order],
    )


@given(case=cases(), mode=modes, seed=seeds)
@laws
def test_the_order_of_the_pixels_does_not_matter(case, mode, seed):
    probs, target, weight = tensors(case)
    probs, target, weight = probs.flatten(2), target.flatten(2), weight.flatten(1)
    order = np.random.default_rng(seed).permutation(probs.shape[-1])
    options = {'mode': mode, 'threshold': 0.3}
    assert torch.equal(
        active_classes(
            probs[..., order], target[..., order], weight[:, order], **options
        ),
        active_classes(probs, target, weight, **options),
    )
