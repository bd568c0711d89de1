"""Label transforms: what they say of a label."""

import pytest
import torch
from mmseg.registry import MODELS
from torch.testing import assert_close

from mmseg_jml.functional import boundary_mask
from mmseg_jml.functional.targets import one_hot
from mmseg_jml.labels import BoundaryLabelSmoothing, LabelSmoothing
from tests.losses.cases import case

TRANSFORMS = [LabelSmoothing(epsilon=0.3), BoundaryLabelSmoothing(epsilon=0.3)]
each_transform = pytest.mark.parametrize('transform', TRANSFORMS, ids=repr)


@each_transform
def test_targets_sum_to_one_at_valid_pixels_and_to_zero_at_ignored_ones(transform):
    label = case()[1]
    total = transform(label, num_classes=5).sum(1)
    assert_close(total, (label != 255).float())


@each_transform
def test_the_target_is_the_mixture_that_the_map_says(transform):
    label = case()[1]
    epsilon = transform.epsilon_map(label, 255).unsqueeze(1)
    valid = (label != 255).unsqueeze(1)
    expected = (one_hot(label, 5) * (1 - epsilon) + epsilon / 5) * valid
    assert_close(transform(label, num_classes=5), expected)


@each_transform
def test_without_epsilon_the_label_stays_hard(transform):
    label = case()[1]
    hard = type(transform)(epsilon=0.0)
    assert torch.equal(hard(label, num_classes=5), one_hot(label, 5))


@pytest.mark.parametrize('ignore_neighbours', [True, False])
def test_only_boundary_pixels_are_smoothed(ignore_neighbours):
    label = case(h=15, w=17)[1] // 3
    label[label == 85] = 255
    transform = BoundaryLabelSmoothing(
        kernel_size=5, epsilon=0.4, ignore_neighbours=ignore_neighbours
    )
    expected = 0.4 * boundary_mask(label, 5, ignore_neighbours=ignore_neighbours)
    assert torch.equal(transform.epsilon_map(label), expected)


def test_a_window_over_the_whole_picture_is_plain_smoothing():
    label = case(n=1)[1][:, 4:]
    everywhere = BoundaryLabelSmoothing(kernel_size=99, epsilon=0.3)
    assert_close(
        everywhere(label, num_classes=5), LabelSmoothing(epsilon=0.3)(label, 5)
    )


def test_plain_smoothing_takes_points():
    label = case()[1].flatten(1)
    assert LabelSmoothing()(label, num_classes=5).shape == (*label.shape[:1], 5, 99)


def test_points_have_no_boundary_and_the_error_names_the_other_transform():
    with pytest.raises(ValueError, match='use `LabelSmoothing`'):
        BoundaryLabelSmoothing()(case()[1].flatten(1), num_classes=5)


@pytest.mark.parametrize('name', ['LabelSmoothing', 'BoundaryLabelSmoothing'])
def test_transforms_are_built_by_name(name):
    assert MODELS.build(dict(type=name, epsilon=0.2)).epsilon == 0.2


@pytest.mark.parametrize('transform', [LabelSmoothing, BoundaryLabelSmoothing])
def test_one_channel_is_mixed_with_one_half(transform):
    target = transform(epsilon=0.5)(torch.tensor([[[0, 1, 255]]]), num_classes=1)
    whole = torch.tensor([[[[0.25, 0.75, 0.0]]]])
    hard = torch.tensor([[[[0.25, 1.0, 0.0]]]])  # the 1 has an ignored neighbour
    assert torch.equal(target, whole if transform is LabelSmoothing else hard)
