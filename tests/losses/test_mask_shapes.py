"""Masks as other libraries hold them: with a channel, integer or bool, one a class."""

import pytest
import torch
from torch.testing import assert_close

from mmseg_jml.functional.targets import one_hot
from mmseg_jml.losses import (
    CWDLoss,
    JaccardMetricLoss,
    KLDistillationLoss,
    SoftCrossEntropyLoss,
    TaughtLoss,
)
from tests.losses.cases import case, value_and_grad

each_loss = pytest.mark.parametrize('kind', [JaccardMetricLoss, SoftCrossEntropyLoss])
integers = pytest.mark.parametrize('dtype', [torch.bool, torch.uint8, torch.int64])


@each_loss
@pytest.mark.parametrize('channels', [1, 5])
def test_a_label_with_a_channel_is_the_label(kind, channels):
    logits, label = case(c=channels)
    loss = kind(use_sigmoid=channels == 1)
    expected = value_and_grad(loss, logits, label)
    for dtype in (torch.int64, torch.uint8):
        found = value_and_grad(loss, logits, label.unsqueeze(1).to(dtype))
        assert_close(found, expected)


@each_loss
@integers
@pytest.mark.parametrize('sigmoid', [False, True])
def test_masks_of_the_classes_are_a_soft_target(kind, dtype, sigmoid):
    logits, label = case()
    masks = one_hot(label, 5)
    masks[:, 1] = masks[:, 0]  # several classes at a pixel
    loss = kind(use_sigmoid=sigmoid)
    expected = value_and_grad(loss, logits, masks.double())
    assert_close(value_and_grad(loss, logits, masks.to(dtype)), expected)


@each_loss
@pytest.mark.parametrize('axis', [False, True])
def test_a_bool_mask_is_a_binary_label(kind, axis):
    logits, label = case(c=1)
    mask = label == 1
    loss = kind(use_sigmoid=True)
    expected = value_and_grad(loss, logits, mask.long())
    assert_close(
        value_and_grad(loss, logits, mask.unsqueeze(1) if axis else mask), expected
    )


@pytest.mark.parametrize('kind', [KLDistillationLoss, CWDLoss])
def test_beside_a_teacher_a_label_may_have_a_channel(kind):
    logits, label = case()
    teacher = torch.randn(logits.shape, dtype=logits.dtype)
    values = []
    for given in (label, label.unsqueeze(1)):
        loss = TaughtLoss(SoftCrossEntropyLoss(), [dict(type=kind.__name__)])
        with loss.taught_by(teacher):
            values.append([part(logits, given) for part in loss])
    assert_close(*values)


@pytest.mark.parametrize('kind', [KLDistillationLoss, CWDLoss])
def test_beside_a_teacher_masks_of_the_classes_leave_no_pixel_out(kind):
    logits, label = case()
    teacher = torch.randn(logits.shape, dtype=logits.dtype)
    loss = TaughtLoss(SoftCrossEntropyLoss(), [dict(type=kind.__name__)])
    with loss.taught_by(teacher):
        *_, found = [part(logits, one_hot(label, 5).long()) for part in loss]
    assert_close(found, kind()(logits, teacher))
