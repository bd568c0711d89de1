"""Pseudo-labels agree with loops; boxes lie where they should, and draws repeat."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from mmseg_jml.functional.pseudo_labels import (
    PseudoLabels,
    check_pseudo_label,
    cutmix,
    cutmix_masks,
    drop_channels,
    pseudo_labels,
    ramp_up,
    supervision_counts,
)
from tests.functional.cases import laws, seeds, tensor
from tests.reference import pseudo_labels as reference

shapes = st.sampled_from([(2, 3, 4, 5), (1, 2, 1, 3), (3, 1, 2, 2), (2, 7, 3, 1)])


def case(seed, shape):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, shape)
    return logits, rng.random((shape[0], *shape[2:])) < 0.8


@given(
    seed=seeds,
    shape=shapes,
    threshold=st.sampled_from([0.0, 0.6, 0.9, 1.0]),
    temperature=st.sampled_from([1.0, 0.5, 2.0]),
)
@laws
def test_soft_labels_are_those_of_the_loops(seed, shape, threshold, temperature):
    logits, valid = case(seed, shape)
    options = {'threshold': threshold, 'temperature': temperature}
    found = pseudo_labels(tensor(logits), tensor(valid), **options)
    target, label, weight = reference.pseudo_labels(logits, valid, **options)
    assert_close(found.target, tensor(target))
    assert found.label.tolist() == label.tolist()
    assert found.weight.tolist() == weight.tolist()


@given(seed=seeds, shape=shapes)
@laws
def test_hard_labels_are_the_most_probable_classes(seed, shape):
    logits, valid = case(seed, shape)
    found = pseudo_labels(tensor(logits), tensor(valid), kind='hard', threshold=0.6)
    _, label, weight = reference.pseudo_labels(logits, valid, 0.6, 1.0)
    assert found.target.tolist() == label.tolist()
    assert found.weight.tolist() == weight.tolist()


def test_a_low_temperature_makes_soft_labels_hard():
    logits, valid = (tensor(each) for each in case(0, (2, 5, 3, 4)))
    soft = pseudo_labels(logits, valid, temperature=1e-4).target
    hard = torch.nn.functional.one_hot(logits.argmax(1), 5).movedim(-1, 1)
    assert_close(soft, hard.double())


def test_the_temperature_does_not_change_which_pixels_are_supervised():
    logits, valid = (tensor(each) for each in case(0, (2, 5, 3, 4)))
    weights = [
        pseudo_labels(logits, valid, threshold=0.7, temperature=t).weight
        for t in (0.25, 1.0)
    ]
    assert torch.equal(*weights)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    logits, valid = (tensor(each) for each in case(1, (2, 5, 3, 4)))
    half = logits.to(dtype)
    found = pseudo_labels(half, valid, threshold=0.7, temperature=0.5)
    expected = pseudo_labels(half.float(), valid, threshold=0.7, temperature=0.5)
    assert found.target.dtype == torch.float32
    assert all(map(torch.equal, found, expected))


def test_no_gradient_goes_to_the_teacher():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    found = pseudo_labels(logits, torch.ones(1, 2, 2, dtype=torch.bool))
    assert not any(part.requires_grad for part in found)


@given(seed=seeds, shape=shapes)
@laws
def test_mixing_is_that_of_the_loops(seed, shape):
    values, masks = case(seed, shape)
    expected = reference.mix(values, masks)
    assert_close(cutmix(tensor(values), tensor(masks)), tensor(expected))
    single = cutmix(tensor(values[:, 0]), tensor(masks))
    assert_close(single, tensor(expected[:, 0]))


def test_mixed_probabilities_make_mixed_labels():
    logits, valid = (tensor(each) for each in case(3, (3, 4, 6, 5)))
    generator = torch.Generator().manual_seed(0)
    masks = cutmix_masks(3, (6, 5), probability=1.0, generator=generator)
    options = {'threshold': 0.6, 'temperature': 0.5}
    after = [cutmix(each, masks) for each in pseudo_labels(logits, valid, **options)]
    before = pseudo_labels(cutmix(logits, masks), cutmix(valid, masks), **options)
    assert all(map(torch.equal, after, before))


@given(seed=seeds, size=st.sampled_from([(40, 60), (7, 3), (1, 1), (100, 4)]))
@laws
def test_a_mask_is_one_box_of_an_allowed_area(seed, size):
    generator = torch.Generator().manual_seed(seed)
    masks = cutmix_masks(4, size, probability=1.0, generator=generator)
    for mask in masks:
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        height = (rows.max() - rows.min() + 1).item()
        width = (columns.max() - columns.min() + 1).item()
        assert mask.sum() == height * width
        assert height * width <= 0.4 * math.prod(size) + height + width + 1
        if size == (40, 60):
            assert height * width >= 0.02 * math.prod(size) - height - width


def test_boxes_come_with_their_probability():
    generator = torch.Generator().manual_seed(0)
    masks = cutmix_masks(2000, (4, 4), probability=0.25, generator=generator)
    share = masks.flatten(1).any(1).double().mean().item()
    assert share == pytest.approx(0.25, abs=0.03)


def test_boxes_reach_every_pixel_and_prefer_none_of_two_halves():
    generator = torch.Generator().manual_seed(0)
    often = cutmix_masks(4000, (8, 8), probability=1.0, generator=generator)
    often = often.double().mean(0)
    assert often.min() > 0
    assert_close(often, often.flip(0), atol=0.05, rtol=0)
    assert_close(often, often.flip(1), atol=0.05, rtol=0)


def test_dropped_channels_are_whole_and_keep_the_mean():
    generator = torch.Generator().manual_seed(0)
    values = torch.ones(200, 50, 2, 3)
    dropped = drop_channels(values, rate=0.25, generator=generator)
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(dropped, dropped[:, :, :1, :1].expand_as(dropped))
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    'draw',
    [
        lambda g: cutmix_masks(3, (9, 9), probability=0.5, generator=g),
        lambda g: drop_channels(torch.ones(3, 9, 1, 1), rate=0.5, generator=g),
    ],
)
def test_what_is_drawn_depends_on_the_generator_alone(draw):
    first, again, other = (draw(torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_ramp_rises_to_one_and_stays():
    factors = [ramp_up(iteration, 20) for iteration in range(30)]
    assert factors[0] == pytest.approx(math.exp(-5))
    assert factors[10] == pytest.approx(math.exp(-5 / 4))
    assert factors[:20] == sorted(factors[:20])
    assert factors[20:] == [1.0] * 10


@given(seed=seeds)
@laws
def test_counts_are_those_of_the_loops(seed):
    logits, valid = case(seed, (2, 4, 3, 5))
    found = pseudo_labels(tensor(logits), tensor(valid), threshold=0.7)
    _, label, weight = reference.pseudo_labels(logits, valid, 0.7, 1.0)
    expected = reference.supervision_counts(label, weight, valid, 4)
    assert supervision_counts(found, 4).tolist() == expected


def test_counting_needs_no_class_of_pixels_that_are_not_valid():
    label = torch.tensor([[[3, 0]]])
    valid = torch.tensor([[[False, True]]])
    labels = PseudoLabels(label, label, valid.float(), valid)
    assert supervision_counts(labels, 4).tolist() == [[1, 0, 0, 0]] * 2


@pytest.mark.parametrize(
    ('options', 'error', 'words'),
    [
        ({'kind': 'firm'}, ValueError, r"`pseudo_label.kind` .* got 'firm'"),
        ({'threshold': 1.5}, ValueError, r'`pseudo_label.threshold` .* got 1.5'),
        ({'threshold': None}, TypeError, '`pseudo_label.threshold` must be a number'),
        ({'temperature': 0}, ValueError, r'`pseudo_label.temperature` .* > 0, got 0'),
        ({'kind': 'hard', 'temperature': 0.5}, ValueError, "1 with kind 'hard'"),
    ],
)
def test_options_that_cannot_work_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        check_pseudo_label(**options)
