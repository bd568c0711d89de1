"""Boundary pixels and smoothed labels."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.functional.boundary import boundary_mask, smooth_target
from mmseg_jml.functional.targets import one_hot
from tests.functional.cases import assert_close, laws, random_label, seeds, tensor
from tests.reference import boundary as reference

PICTURES = ((2, 9, 11), (1, 1, 1), (2, 1, 9), (1, 8, 1), (1, 3, 3))
KERNELS = (1, 3, 5, 7, 25)
kernels = st.sampled_from(KERNELS)


def patchy_label(
    seed: int, shape: tuple[int, ...], ignored: float, classes: int = 4
) -> np.ndarray:
    """Patches of two by two pixels, so that windows of one class occur too."""
    rng = np.random.default_rng(seed)
    coarse = random_label(rng, shape, classes, ignored=ignored)
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    return fine[:, : shape[1], : shape[2]]


labels = st.builds(
    patchy_label, seeds, st.sampled_from(PICTURES), st.sampled_from([0.0, 0.1, 0.5])
)
whole_labels = st.builds(
    patchy_label, seeds, st.sampled_from(PICTURES), st.sampled_from([0.0])
)


@pytest.mark.parametrize('ignore_neighbours', [True, False])
@given(label=labels, kernel_size=kernels)
@laws
def test_the_mask_agrees_with_the_reference(ignore_neighbours, label, kernel_size):
    mask = boundary_mask(
        tensor(label), kernel_size, ignore_neighbours=ignore_neighbours
    )
    assert mask.dtype == torch.bool
    expected = reference.boundary_mask(label, kernel_size, 255, ignore_neighbours)
    np.testing.assert_array_equal(mask.numpy(), expected)


@pytest.mark.parametrize('ignore_neighbours', [True, False])
@pytest.mark.parametrize('kernel_size', [1, 3, 5])
@given(seed=seeds)
@laws
def test_the_mask_of_a_volume_agrees_with_the_reference(
    kernel_size, ignore_neighbours, seed
):
    shape = (2, 3, 5, 4)
    label = random_label(np.random.default_rng(seed), shape, 2, ignored=0.1)
    mask = boundary_mask(
        tensor(label), kernel_size, ignore_neighbours=ignore_neighbours
    )
    expected = reference.boundary_mask(label, kernel_size, 255, ignore_neighbours)
    np.testing.assert_array_equal(mask.numpy(), expected)


@given(label=labels, kernel_size=kernels)
@laws
def test_a_volume_of_equal_slices_has_the_boundary_of_one(label, kernel_size):
    slices = tensor(label).unsqueeze(1).repeat(1, 3, 1, 1)
    mask = boundary_mask(tensor(label), kernel_size)
    assert torch.equal(
        boundary_mask(slices, kernel_size), mask[:, None].expand(slices.shape)
    )


@pytest.mark.parametrize('ignore_neighbours', [True, False])
@pytest.mark.parametrize('ignore_index', [-1, 0, 3, 255, 1000])
@given(seed=seeds)
@laws
def test_the_mask_knows_any_ignored_label(ignore_index, ignore_neighbours, seed):
    label = random_label(np.random.default_rng(seed), (1, 6, 6), 4, ignore_index)
    mask = boundary_mask(
        tensor(label), 3, ignore_index, ignore_neighbours=ignore_neighbours
    )
    expected = reference.boundary_mask(label, 3, ignore_index, ignore_neighbours)
    np.testing.assert_array_equal(mask.numpy(), expected)


@pytest.mark.parametrize('integer', [torch.uint8, torch.int32])
@pytest.mark.parametrize('ignore_neighbours', [True, False])
def test_any_integer_label_gives_the_same_mask(ignore_neighbours, integer):
    label = tensor(patchy_label(0, (2, 9, 11), 0.1))
    mask = boundary_mask(label, 3, ignore_neighbours=ignore_neighbours)
    small = boundary_mask(label.to(integer), 3, ignore_neighbours=ignore_neighbours)
    assert torch.equal(mask, small)


@pytest.mark.parametrize('kernel_size', KERNELS)
def test_the_edge_of_the_picture_is_no_boundary(kernel_size):
    assert not boundary_mask(torch.full((1, 5, 7), 2), kernel_size).any()


def test_the_boundary_of_two_halves_is_a_pixel_on_either_side():
    label = torch.tensor([0, 0, 0, 1, 1, 1]).expand(1, 4, 6)
    expected = [False, False, True, True, False, False]
    assert boundary_mask(label, 3)[0, 1].tolist() == expected


def test_a_window_of_one_pixel_holds_no_boundary():
    assert not boundary_mask(torch.tensor([[[0, 1], [2, 3]]]), 1).any()


@pytest.mark.parametrize('ignore_neighbours', [True, False])
@given(label=labels, kernel_size=kernels)
@laws
def test_ignored_pixels_are_never_boundary(ignore_neighbours, label, kernel_size):
    mask = boundary_mask(
        tensor(label), kernel_size, ignore_neighbours=ignore_neighbours
    )
    assert not mask[tensor(label == 255)].any()


@given(label=labels, kernel_size=kernels)
@laws
def test_ignoring_neighbours_only_takes_boundary_away(label, kernel_size):
    strict = boundary_mask(tensor(label), kernel_size, ignore_neighbours=True)
    loose = boundary_mask(tensor(label), kernel_size, ignore_neighbours=False)
    assert (strict <= loose).all()


@given(label=whole_labels, kernel_size=kernels)
@laws
def test_the_two_rules_agree_where_nothing_is_ignored(label, kernel_size):
    strict = boundary_mask(tensor(label), kernel_size, ignore_neighbours=True)
    loose = boundary_mask(tensor(label), kernel_size, ignore_neighbours=False)
    assert torch.equal(strict, loose)


@given(label=labels)
@laws
def test_a_larger_window_keeps_the_boundary_of_a_smaller_one(label):
    masks = [boundary_mask(tensor(label), k, ignore_neighbours=False) for k in KERNELS]
    for small, large in pairwise(masks):
        assert (small <= large).all()


@given(seed=seeds)
@laws
def test_a_window_over_the_whole_picture_is_plain_smoothing(seed):
    label = np.random.default_rng(seed).integers(0, 3, (1, 5, 6))
    label[0, 0, :2] = [0, 1]
    assert boundary_mask(tensor(label), 11).all()


@given(label=labels, kernel_size=kernels, axis=st.sampled_from([1, 2]))
@laws
def test_flipping_the_picture_flips_the_mask(label, kernel_size, axis):
    mask = boundary_mask(tensor(label), kernel_size)
    flipped = boundary_mask(tensor(label).flip(axis), kernel_size)
    assert torch.equal(flipped, mask.flip(axis))


@given(label=labels, kernel_size=kernels, seed=seeds)
@laws
def test_the_names_of_the_classes_do_not_matter(label, kernel_size, seed):
    names = np.random.default_rng(seed).permutation(150)
    renamed = np.where(label == 255, 255, names[np.where(label == 255, 0, label)])
    mask = boundary_mask(tensor(label), kernel_size)
    assert torch.equal(mask, boundary_mask(tensor(renamed), kernel_size))


@given(label=labels, kernel_size=kernels)
@laws
def test_a_picture_does_not_see_its_neighbours_in_the_batch(label, kernel_size):
    together = boundary_mask(tensor(label), kernel_size)
    alone = [
        boundary_mask(tensor(label[n : n + 1]), kernel_size) for n in range(len(label))
    ]
    assert torch.equal(together, torch.cat(alone))


# Smoothing ------------------------------------------------------------------


@pytest.mark.parametrize('sigmoid', [False, True])
@pytest.mark.parametrize('shape', [(2, 3, 4, 5), (2, 1, 3), (1, 150, 1, 1)])
@given(seed=seeds, epsilon=st.floats(0, 1))
@laws
def test_smoothing_agrees_with_the_reference(shape, sigmoid, seed, epsilon):
    target = np.random.default_rng(seed).random(shape)
    smoothed = smooth_target(tensor(target), epsilon, sigmoid=sigmoid)
    assert_close(smoothed, reference.smooth(target, epsilon, sigmoid))


@pytest.mark.parametrize('sigmoid', [False, True])
@given(seed=seeds)
@laws
def test_smoothing_by_a_map_agrees_with_the_reference(sigmoid, seed):
    rng = np.random.default_rng(seed)
    target, epsilon = rng.random((2, 3, 4, 5)), rng.random((2, 4, 5))
    smoothed = smooth_target(tensor(target), tensor(epsilon), sigmoid=sigmoid)
    assert_close(smoothed, reference.smooth(target, epsilon, sigmoid))


@pytest.mark.parametrize('sigmoid', [False, True])
@given(label=labels, kernel_size=kernels, epsilon=st.floats(0, 1))
@laws
def test_boundary_smoothing_agrees_with_the_reference(
    sigmoid, label, kernel_size, epsilon
):
    valid = tensor(label != 255)
    epsilon_map = epsilon * boundary_mask(tensor(label), kernel_size).double()
    target = one_hot(tensor(label), 4, dtype=torch.float64)
    smoothed = smooth_target(target, epsilon_map, sigmoid=sigmoid) * valid[:, None]
    expected = reference.boundary_label_smoothing(
        label, 4, kernel_size, epsilon, sigmoid=sigmoid
    )
    assert_close(smoothed, expected)


@pytest.mark.parametrize('epsilon', [0.0, 0.3, 1.0])
def test_a_smoothed_distribution_still_sums_to_one(epsilon):
    target = torch.rand(2, 7, 5, dtype=torch.float64, generator=torch.manual_seed(0))
    smoothed = smooth_target(target.softmax(1), epsilon)
    assert_close(smoothed.sum(1), np.ones((2, 5)))


def test_epsilon_zero_changes_nothing():
    target = torch.rand(2, 3, 5, generator=torch.manual_seed(0))
    assert torch.equal(smooth_target(target, 0.0), target)


def test_epsilon_one_leaves_the_uniform_distribution():
    target = one_hot(torch.tensor([[0, 1, 3]]), 4)
    assert torch.equal(smooth_target(target, 1.0), torch.full((1, 4, 3), 0.25))


def test_smoothing_below_one_keeps_the_argmax():
    target = one_hot(torch.tensor([[0, 1, 3]]), 4)
    assert smooth_target(target, 0.9).argmax(1).tolist() == [[0, 1, 3]]


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_smoothing_keeps_the_type_of_the_target(dtype):
    target = torch.ones(1, 2, 3, dtype=dtype)
    assert smooth_target(target, 0.5).dtype == dtype
    assert smooth_target(target, torch.full((1, 3), 0.5, dtype=dtype)).dtype == dtype


def test_smoothing_leaves_its_input_as_it_was():
    target = torch.ones(1, 2, 3)
    smooth_target(target, 0.5)
    assert torch.equal(target, torch.ones(1, 2, 3))


@given(label=labels)
@laws
def test_by_default_it_is_the_papers_boundary(label):
    found = boundary_mask(tensor(label))
    assert torch.equal(found, boundary_mask(tensor(label), 3, 255, True))
