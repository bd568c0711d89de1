"""The public functions take what a user has, or refuse it by a sentence."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmseg_jml import functional
from mmseg_jml.functional import (
    active_classes,
    boundary_mask,
    channel_wise_divergence,
    correlation_losses,
    cross_entropy,
    jaccard_loss,
    kl_divergence,
    pseudo_labels,
    smooth_target,
    teacher_divergence,
)
from mmseg_jml.functional.targets import one_hot, valid_mask

TORCH = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 3, 4, 5, generator=TORCH, dtype=torch.float64)
LABEL = torch.randint(0, 3, (2, 4, 5), generator=TORCH)
LABEL[:, :2] = 255  # half of the pixels
PROBS = LOGITS.softmax(1)
VALID = valid_mask(LABEL).double()
IGNORED = int((LABEL == 255).sum())
WEIGHTS = [1.0, 2.0, 0.5]


def value_and_gradient(loss, values):
    values = values.clone().requires_grad_(True)
    result = loss(values)
    return result.detach(), *torch.autograd.grad(result, values)


@pytest.mark.parametrize('weights', [None, WEIGHTS])
def test_cross_entropy_of_a_label_with_ignored_pixels_is_that_of_torch(weights):
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    expected = value_and_gradient(
        lambda z: F.cross_entropy(z, LABEL, tensor, ignore_index=255), LOGITS
    )
    for given in (weights, tensor):
        actual = value_and_gradient(
            lambda z, given=given: cross_entropy(z, LABEL, class_weight=given), LOGITS
        )
        assert_close(actual, expected)


def test_another_ignore_index_is_that_of_torch():
    label = LABEL.where(LABEL != 255, -100)
    expected = F.cross_entropy(LOGITS, label)
    assert_close(cross_entropy(LOGITS, label, ignore_index=-100), expected)


def test_kl_divergence_of_a_hard_label_is_the_cross_entropy():
    assert_close(kl_divergence(LOGITS, LABEL), cross_entropy(LOGITS, LABEL))


@pytest.mark.parametrize('sigmoid', [False, True])
@pytest.mark.parametrize('mode', ['label', 'present', 'both', 'all'])
def test_jaccard_loss_of_a_hard_label_is_that_of_its_one_hot(mode, sigmoid):
    options = dict(active_classes=mode, sigmoid=sigmoid, class_weight=WEIGHTS)
    soft = one_hot(LABEL, 3, dtype=torch.float64)
    expected = value_and_gradient(
        lambda x: jaccard_loss(
            x, soft, VALID, **{**options, 'class_weight': torch.tensor(WEIGHTS)}
        ),
        PROBS,
    )
    actual = value_and_gradient(lambda x: jaccard_loss(x, LABEL, **options), PROBS)
    assert_close(actual, expected)


def test_jaccard_loss_of_a_binary_label_is_that_of_its_one_hot():
    label = LABEL.where(LABEL != 2, 1)
    found = jaccard_loss(PROBS[:, :1], label, sigmoid=True)
    soft = one_hot(label, 1, dtype=torch.float64)
    assert_close(found, jaccard_loss(PROBS[:, :1], soft, VALID, sigmoid=True))


def test_active_classes_of_a_hard_label_are_those_of_its_one_hot():
    soft = active_classes(PROBS, one_hot(LABEL, 3, dtype=torch.float64), VALID)
    assert torch.equal(active_classes(PROBS, LABEL), soft)


REFUSED = {
    'a one-hot with ignored pixels': (
        lambda: cross_entropy(LOGITS, one_hot(LABEL, 3)),
        f'`target` must have a class .* {IGNORED} pixels; .*the integer label itself',
    ),
    'the same for the divergence': (
        lambda: kl_divergence(LOGITS, one_hot(LABEL, 3)),
        '`target` must have a class',
    ),
    "class weights in the place of torch's": (
        lambda: cross_entropy(LOGITS, LABEL, torch.tensor(WEIGHTS)),
        r'`weight` must be \(2, 4, 5\), got \(3,\)',
    ),
    "torch's ignored id": (
        lambda: cross_entropy(LOGITS, LABEL.where(LABEL != 255, -100)),
        r'`target` ids must be in \[0, 3\) or ignore_index=255, got \[-100\]',
    ),
    'softmax of one channel': (
        lambda: cross_entropy(LOGITS[:, :1], LABEL),
        '`logits` must have at least 2 channels with softmax',
    ),
    'logits as probabilities': (
        lambda: jaccard_loss(LOGITS, LABEL),
        r'`probs` must be in \[0, 1\], got values .*`logits.softmax\(1\)`',
    ),
    'logits in active_classes': (
        lambda: active_classes(LOGITS, LABEL),
        r'`probs` must be in \[0, 1\]',
    ),
    'a label of another size': (
        lambda: jaccard_loss(PROBS, LABEL[:, 1:]),
        r'`target` must be \(2, 4, 5\) when it is hard',
    ),
    'a soft target above 1': (
        lambda: jaccard_loss(PROBS, PROBS * 3),
        r'`target` must be in \[0, 1\] when it is soft',
    ),
    'an id past the classes': (
        lambda: jaccard_loss(PROBS, LABEL + 1),
        r'`target` ids must be in \[0, 3\)',
    ),
    'too few class weights': (
        lambda: jaccard_loss(PROBS, LABEL, class_weight=[1.0]),
        '`class_weight` must have one number for each class, 3, got 1',
    ),
    'a negative class weight': (
        lambda: jaccard_loss(PROBS, LABEL, class_weight=torch.tensor([1.0, 1.0, -1.0])),
        '`class_weight` must be a finite number >= 0, got -1.0',
    ),
    'a negative weight': (
        lambda: cross_entropy(LOGITS, LABEL, -VALID),
        '`weight` must be >= 0, got -1',
    ),
    'no neighbours': (lambda: boundary_mask(LABEL[0]), r'`label` must be \(N,H,W\)'),
    'an epsilon map of another size': (
        lambda: smooth_target(PROBS, VALID[0]),
        r'`epsilon` must be a number or \(2, 4, 5\), got \(4, 5\)',
    ),
    'an epsilon above 1': (
        lambda: smooth_target(PROBS, 2.0),
        r'`epsilon` must be in \[0, 1\], got 2.0',
    ),
    'an unknown kind': (
        lambda: pseudo_labels(LOGITS, VALID.bool(), kind='sharp'),
        r"`kind` must be one of \('soft', 'hard'\), got 'sharp'",
    ),
    'valid of another size': (
        lambda: pseudo_labels(LOGITS, VALID.bool()[:, 1:]),
        r'`valid` must be \(2, 4, 5\), got \(2, 3, 5\)',
    ),
}


@pytest.mark.parametrize('name', REFUSED)
def test_values_that_do_not_fit_are_refused(name):
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    'loss', [teacher_divergence, channel_wise_divergence, correlation_losses]
)
@pytest.mark.parametrize('temperature', [0.0, -1.0, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(loss, temperature):
    with pytest.raises(ValueError, match='`temperature` must be a finite number > 0'):
        loss(LOGITS, LOGITS, temperature=temperature)


@pytest.mark.parametrize(
    'loss', [teacher_divergence, channel_wise_divergence, correlation_losses]
)
def test_a_teacher_of_another_shape_is_refused(loss):
    with pytest.raises(ValueError, match="must have the shape of the student's"):
        loss(LOGITS, LOGITS[:, 1:])


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: jaccard_loss(PROBS.long(), LABEL), '`probs` must be floating'),
        (lambda: cross_entropy(LOGITS.long(), LABEL), '`logits` must be floating'),
        (lambda: boundary_mask(LABEL.float()), '`label` must be an integer tensor'),
        (lambda: pseudo_labels(LABEL, VALID.bool()), '`logits` must be floating'),
    ],
)
def test_types_that_do_not_fit_are_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_what_is_no_probability_may_stand_at_ignored_pixels():
    loud = PROBS.where(VALID.bool()[:, None], 7.0)
    assert_close(jaccard_loss(loud, LABEL), jaccard_loss(PROBS, LABEL))


def test_probabilities_of_a_diverged_network_give_nan():
    assert jaccard_loss(PROBS * math.nan, LABEL).isnan()


def test_every_public_name_is_there_and_documented():
    assert len(functional.__all__) <= 36
    assert all(getattr(functional, name).__doc__ for name in functional.__all__)
