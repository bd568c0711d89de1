"""What the docs say of infinite logits, which are no fault where they mean 0 or 1."""

import math

import pytest
import torch
from torch.testing import assert_close

from mmseg_jml.labels import BoundaryLabelSmoothing
from mmseg_jml.losses import JaccardMetricLoss, SoftCrossEntropyLoss
from tests.losses.cases import case, value_and_grad

FINITE = (
    JaccardMetricLoss(),
    JaccardMetricLoss(label_smoothing=BoundaryLabelSmoothing()),
    SoftCrossEntropyLoss(),
)


def ruled_out(logits, value, channel=4):
    """The logits with one class ruled out (or in) everywhere."""
    changed = logits.detach().clone()
    changed[:, channel] = value
    return changed.requires_grad_()


@pytest.mark.parametrize('loss', FINITE)
def test_minus_inf_under_softmax_is_the_probability_0(loss):
    logits, label = case()
    label[label == 4] = 3  # nobody's class
    found = value_and_grad(loss, ruled_out(logits, -math.inf), label)
    assert_close(found, value_and_grad(loss, ruled_out(logits, -1e4), label))


def test_cross_entropy_of_a_label_that_was_ruled_out_is_infinite():
    logits, label = case()
    assert SoftCrossEntropyLoss()(ruled_out(logits, -math.inf), label) == math.inf


def test_cross_entropy_of_minus_inf_to_a_soft_target_is_not_finite():
    logits, _ = case()
    target = torch.zeros_like(logits)
    target[:, 0] = 1
    assert not SoftCrossEntropyLoss()(ruled_out(logits, -math.inf), target).isfinite()


@pytest.mark.parametrize('value', [math.inf, -math.inf])
def test_jml_takes_infinity_under_sigmoid_for_certainty(value):
    logits, label = case()
    loss = JaccardMetricLoss(use_sigmoid=True)
    found = value_and_grad(loss, ruled_out(logits, value), label)
    certain = math.copysign(1e4, value)
    assert_close(found, value_and_grad(loss, ruled_out(logits, certain), label))


@pytest.mark.parametrize('value', [math.inf, -math.inf])
def test_cross_entropy_of_infinity_under_sigmoid_is_not_finite(value):
    logits, label = case()
    loss = SoftCrossEntropyLoss(use_sigmoid=True)
    assert not loss(ruled_out(logits, value), label).isfinite()
