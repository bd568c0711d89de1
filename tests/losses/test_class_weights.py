"""Class weights do what MMSegmentation's users expect of them, or are refused."""

import pytest
import torch
from mmseg.registry import MODELS
from torch.testing import assert_close

from mmseg_jml.losses import CompoundLoss, JaccardMetricLoss, SoftCrossEntropyLoss
from tests.losses.cases import case, value_and_grad


def test_of_a_binary_head_it_is_mmsegmentations():
    logits, label = case(c=1)
    options = dict(use_sigmoid=True, class_weight=[5.0])
    theirs = MODELS.build(dict(type='CrossEntropyLoss', avg_non_ignore=True, **options))
    ours = SoftCrossEntropyLoss(**options)
    assert_close(
        value_and_grad(ours, logits, label),
        value_and_grad(theirs, logits, label, ignore_index=255),
        check_dtype=False,
    )
    assert ours(logits, label) != SoftCrossEntropyLoss(use_sigmoid=True)(logits, label)


def test_of_a_softmax_head_it_is_mmsegmentations():
    logits, label = case()
    label = label.where(label != 255, 0)  # theirs divides by another sum otherwise
    weights = [1.0, 2.0, 0.5, 0.0, 3.0]
    theirs = MODELS.build(dict(type='CrossEntropyLoss', class_weight=weights))
    assert_close(
        value_and_grad(SoftCrossEntropyLoss(class_weight=weights), logits, label),
        value_and_grad(theirs, logits, label, ignore_index=255),
    )


def test_a_compound_loss_weighs_a_binary_head_in_its_cross_entropy():
    logits, label = case(c=1)
    ce = dict(type='SoftCrossEntropyLoss', use_sigmoid=True, class_weight=[5.0])
    jml = dict(type='JaccardMetricLoss', use_sigmoid=True)
    loss = CompoundLoss(losses=[ce, jml])
    alone = sum(MODELS.build(each)(logits, label) for each in (ce, jml))
    assert_close(loss(logits, label), alone)


def test_a_class_of_weight_zero_does_not_count_in_the_mean_of_jml():
    logits, label = case()
    each = [
        JaccardMetricLoss(class_weight=row)(logits, label)
        for row in torch.eye(5).tolist()
    ]
    loss = JaccardMetricLoss(class_weight=[0.0, 1.0, 1.0, 1.0, 1.0])
    assert_close(loss(logits, label), sum(each[1:]) / 4)


def test_jml_of_one_channel_refuses_a_class_weight():
    with pytest.raises(ValueError, match=r'`class_weight` .* `beta` > `alpha`'):
        JaccardMetricLoss(use_sigmoid=True, class_weight=[5.0])


def test_two_weights_for_one_channel_are_refused():
    loss = SoftCrossEntropyLoss(use_sigmoid=True, class_weight=[1.0, 5.0])
    with pytest.raises(ValueError, match='one number for a head of one channel'):
        loss(*case(c=1))
