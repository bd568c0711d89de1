"""The heads that override how losses are called: which can learn from a teacher."""

import pytest
import torch

from mmseg_jml.losses import TaughtLoss
from tests.losses.heads import CE, COMMON, JML, JML_BLS, NUM_CLASSES, build, features
from tests.losses.test_overriding_heads import (
    LAST,
    point_head,
    point_loss,
    point_sample,  # noqa: F401 a fixture
    train_once,
)

KL = dict(type='KLDistillationLoss')


def taught(head):
    """The head with a loss to a teacher, and that teacher lent to it."""
    head.loss_decode = TaughtLoss(head.loss_decode, [KL])
    return head, head.loss_decode.taught_by(torch.randn(2, NUM_CLASSES, 64, 64))


def test_each_of_the_da_heads_outputs_learns_from_the_teacher():
    head = build(type='DAHead', pam_channels=4, **LAST, **COMMON, loss_decode=JML_BLS)
    head, lent = taught(head)
    with lent:
        terms = train_once(head, features())
    assert {'pam_cam.loss_kl', 'pam.loss_kl', 'cam.loss_kl'} <= set(terms)


def test_the_enc_head_learns_from_the_teacher():
    encoded = dict(type='EncHead', num_codes=4, in_channels=[24], in_index=[3])
    head = build(**encoded, **COMMON, loss_decode=JML_BLS)
    head, lent = taught(head)
    with lent:
        assert 'loss_kl' in train_once(head, features())


def test_the_ddr_head_takes_its_losses_by_number_and_is_told():
    head = build(type='DDRHead', in_channels=8, **COMMON, loss_decode=[JML_BLS, CE])
    head, lent = taught(head)
    inputs = (torch.randn(2, 4, 16, 16), torch.randn(2, 8, 16, 16))
    with pytest.raises(RuntimeError, match='DDRHead, PIDHead'), lent:
        train_once(head, inputs)


def test_the_pid_head_takes_its_losses_by_number_and_is_told():
    boundary = dict(type='BoundaryLoss', loss_weight=20.0)
    losses = [CE, JML_BLS, boundary, JML]
    head = build(type='PIDHead', in_channels=8, **COMMON, loss_decode=losses)
    head, lent = taught(head)
    inputs = [torch.randn(2, channels, 16, 16) for channels in (4, 8, 4)]
    with pytest.raises(RuntimeError, match='DDRHead, PIDHead'), lent:
        train_once(head, tuple(inputs))


def test_the_edges_of_the_stdc_head_are_no_teachers_pixels():
    stdc = dict(type='STDCHead', boundary_threshold=0.1, num_convs=1, **LAST)
    head = build(**stdc, **dict(COMMON, num_classes=2), loss_decode=[CE, JML])
    head, lent = taught(head)
    with pytest.raises(ValueError, match="the shape of the student's"), lent:
        train_once(head, features())


@pytest.mark.usefixtures('point_sample')
def test_the_points_of_the_point_head_are_no_teachers_pixels():
    head, lent = taught(point_head(JML))
    with pytest.raises(ValueError, match="the shape of the student's"), lent:
        point_loss(head)
