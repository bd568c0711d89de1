"""How weights, class weights and the three reductions enter the Jaccard losses."""

from dataclasses import astuple

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from mmseg_jml.functional.jaccard import jaccard_loss, overlap_loss, overlap_sums
from tests.functional.cases import (
    REDUCTIONS,
    VARIANTS,
    Case,
    assert_close,
    cases,
    laws,
    seeds,
    tensor,
    tensors,
)
from tests.functional.jaccard_cases import measure, modes, only, smooths, value
from tests.reference.active_classes import active_classes

# Weights --------------------------------------------------------------------


@pytest.mark.parametrize('variant', VARIANTS)
@given(case=cases(), mode=modes, scale=st.sampled_from([0.25, 3.0, 1e4]))
@laws
def test_without_smooth_the_scale_of_the_weights_does_not_matter(
    variant, case, mode, scale
):
    options = {'variant': variant, 'active_classes': mode, 'smooth': 0.0}
    scaled = case.with_(weight=case.weight * scale)
    assert_close(value(scaled, **options), value(case, **options))


@pytest.mark.parametrize('variant', VARIANTS)
@given(case=cases(shapes=((2, 3, 9), (1, 2, 1))), mode=modes, seed=seeds)
@laws
def test_a_weight_of_two_is_the_pixel_twice(variant, case, mode, seed):
    count = np.random.default_rng(seed).integers(0, 4, case.probs.shape[-1])
    twice = Case(
        *(part.repeat(count, axis=-1) for part in (case.probs, case.target)),
        np.ones((len(case.probs), count.sum())),
    )
    weight = np.broadcast_to(count.astype(float), case.weight.shape)
    if count.any():
        options = {'variant': variant, 'active_classes': mode}
        weighted = value(case.with_(weight=weight), **options)
        assert_close(weighted, value(twice, **options))


@pytest.mark.parametrize('reduction', REDUCTIONS)
@given(case=cases(), mode=modes, seed=seeds)
@laws
def test_a_class_weight_multiplies_the_loss_of_its_class(reduction, case, mode, seed):
    weights = np.random.default_rng(seed).uniform(0.1, 3, case.probs.shape[1])
    options = {'active_classes': mode, 'reduction': only(reduction)}
    plain = value(case, **options)
    more_of_one = [
        value(case, class_weight=tensor(1 + np.eye(len(weights))[c]), **options)
        for c in range(len(weights))
    ]
    loss = value(case, class_weight=tensor(weights), **options)
    assert_close(loss, np.dot(weights, np.array(more_of_one) - plain))


@pytest.mark.parametrize('reduction', REDUCTIONS)
@given(case=cases(shapes=((2, 3, 4, 5), (3, 4, 1, 7))), mode=modes)
@laws
def test_a_class_of_weight_zero_is_as_if_it_were_not_there(reduction, case, mode):
    probs, target, weight = tensors(case)
    options = {'active_classes': mode, 'reduction': only(reduction)}
    if mode == 'present':  # which looks for a pixel's largest class among all
        target[:, 1:] += 1e-3
        target[:, 0] = 0
    weights = torch.ones(probs.shape[1], dtype=torch.float64)
    weights[0] = 0
    found = jaccard_loss(probs, target, weight, class_weight=weights, **options)
    expected = jaccard_loss(probs[:, 1:], target[:, 1:], weight, **options)
    assert_close(found, expected)


# Reductions -----------------------------------------------------------------


@given(case=cases(), mode=modes, smooth=smooths)
@laws
def test_of_one_image_the_three_reductions_are_the_same(case, mode, smooth):
    one = Case(*(part[:1] for part in astuple(case)))
    batch, image, per_class = (
        measure(one, active_classes=mode, smooth=smooth, reduction=only(reduction))
        for reduction in REDUCTIONS
    )
    for other in (image, per_class):
        assert_close(other[0], batch[0])
        assert_close(other[1], batch[1])


@given(case=cases(), shares=st.tuples(*[st.sampled_from([0.0, 0.25, 2.0])] * 3))
@laws
def test_reductions_add_up_by_their_weights(case, shares):
    assume(any(shares))  # nothing to compute is refused
    parts = [value(case, reduction=only(reduction)) for reduction in REDUCTIONS]
    named = dict(zip(REDUCTIONS, shares, strict=True))
    assert_close(value(case, reduction=named), np.dot(shares, parts))


@given(case=cases())
@laws
def test_the_reduction_is_the_batch_unless_told(case):
    assert value(case) == value(case, reduction={'batch': 1.0})


@given(case=cases(), mode=modes)
@laws
def test_the_image_reduction_is_the_mean_over_images_that_count(case, mode):
    chosen = active_classes(case.probs, case.target, case.weight, mode)
    alone = [
        value(Case(*(part[n : n + 1] for part in astuple(case))), active_classes=mode)
        for n in range(len(case.probs))
        if chosen[n].any()
    ]
    expected = np.mean(alone) if alone else 0.0
    assert_close(value(case, active_classes=mode, reduction=only('image')), expected)


@given(case=cases(), mode=modes)
@laws
def test_without_smooth_a_batch_seen_twice_is_the_batch(case, mode):
    twice = Case(*(np.concatenate([part, part]) for part in astuple(case)))
    options = {'active_classes': mode, 'smooth': 0.0}
    assert_close(value(twice, **options), value(case, **options))


@pytest.mark.parametrize('variant', VARIANTS)
@given(case=cases())
@laws
def test_inactive_classes_get_no_gradient(variant, case):
    quiet = case.with_(target=case.target.copy())
    quiet.target[:, 0] = 0.005
    _, gradient = measure(
        quiet, variant=variant, active_classes='label', threshold=0.01
    )
    assert not gradient[:, 0].any()


@given(case=cases(), smooth=smooths)
@laws
def test_the_loss_is_the_mean_of_the_losses_of_the_classes(case, smooth):
    sums = overlap_sums(*tensors(case))
    batch: list[Tensor] = [part.sum(0) for part in sums]
    per_class = overlap_loss(type(sums)(*batch), smooth=smooth)
    expected = per_class.mean().item() if case.weight.any() else 0.0
    assert_close(value(case, active_classes='all', smooth=smooth), expected)
