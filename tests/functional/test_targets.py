"""Hard labels to one-hot targets."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.functional.targets import one_hot, valid_mask
from tests.functional.cases import laws, random_label, seeds, tensor
from tests.reference import targets as reference

LABEL_SHAPES = ((2, 4, 5), (3, 1, 7), (2, 6, 1), (1, 1, 1), (2, 9), (1, 1))

labels = st.builds(
    lambda seed, shape, classes: (
        random_label(np.random.default_rng(seed), shape, classes),
        classes,
    ),
    seeds,
    st.sampled_from(LABEL_SHAPES),
    st.sampled_from([1, 2, 3, 150]),
)


@given(case=labels)
@laws
def test_one_hot_agrees_with_the_reference(case):
    label, classes = case
    target = one_hot(tensor(label), classes)
    np.testing.assert_array_equal(target.numpy(), reference.one_hot(label, classes))


@given(case=labels)
@laws
def test_valid_mask_agrees_with_the_reference(case):
    valid = valid_mask(tensor(case[0]))
    assert valid.dtype == torch.bool
    np.testing.assert_array_equal(valid.numpy(), reference.valid_mask(case[0]))


@given(case=labels)
@laws
def test_ignored_pixels_are_zero_in_every_channel(case):
    label, classes = case
    target = one_hot(tensor(label), classes).movedim(1, -1)
    assert not target[tensor(label == 255)].any()


@given(case=labels.filter(lambda case: case[1] > 1))
@laws
def test_a_valid_pixel_belongs_to_its_label_alone(case):
    label, classes = case
    target = one_hot(tensor(label), classes).movedim(1, -1)[tensor(label != 255)]
    assert (target.sum(-1) == 1).all()
    assert (target.argmax(-1) == tensor(label[label != 255])).all()


def test_the_only_channel_of_a_binary_target_is_label_one():
    target = one_hot(torch.tensor([[0, 1, 255]]), 1)
    assert target.tolist() == [[[0.0, 1.0, 0.0]]]


@pytest.mark.parametrize('num_classes', [1, 3])
@pytest.mark.parametrize('ignore_index', [-1, 0, 1, 2, 254, 255])
def test_any_label_can_be_the_ignored_one(ignore_index, num_classes):
    label = np.array([[[0, 1], [2, ignore_index]]])
    np.testing.assert_array_equal(
        one_hot(tensor(label), num_classes, ignore_index).numpy(),
        reference.one_hot(label, num_classes, ignore_index),
    )
    np.testing.assert_array_equal(
        valid_mask(tensor(label), ignore_index).numpy(),
        reference.valid_mask(label, ignore_index),
    )


@pytest.mark.parametrize('integer', [torch.uint8, torch.int32, torch.int64])
def test_any_integer_label_gives_the_same_target(integer):
    label = torch.tensor([[0, 1, 2, 255]])
    torch.testing.assert_close(one_hot(label.to(integer), 3), one_hot(label, 3))


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64])
def test_the_target_has_the_type_asked_for(dtype):
    assert one_hot(torch.tensor([[0, 1]]), 2, dtype=dtype).dtype == dtype


def test_the_label_is_left_as_it_was():
    label = torch.tensor([[0, 1, 255]])
    one_hot(label, 2)
    assert label.tolist() == [[0, 1, 255]]


@given(case=labels.filter(lambda case: case[1] > 1), seed=seeds)
@laws
def test_renaming_the_classes_permutes_the_channels(case, seed):
    label, classes = case
    order = np.random.default_rng(seed).permutation(classes)
    position = np.argsort(order)
    renamed = np.where(label == 255, 255, position[np.where(label == 255, 0, label)])
    permuted = one_hot(tensor(label), classes)[:, order]
    assert torch.equal(one_hot(tensor(renamed), classes), permuted)
