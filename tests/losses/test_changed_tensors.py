"""What backward reads may not change in place between the call and backward."""

import pytest
import torch
from mmseg.registry import MODELS

from mmseg_jml.functional import jaccard_loss
from mmseg_jml.losses import CompoundLoss, TaughtLoss
from tests.losses.cases import case

CE = dict(type='SoftCrossEntropyLoss')
JML = dict(type='JaccardMetricLoss')
BLS = dict(type='BoundaryLabelSmoothing')
changed = pytest.raises(RuntimeError, match='modified by an inplace operation')


@pytest.mark.parametrize('smoothing', [None, BLS])
@pytest.mark.parametrize('config', [CE, JML])
def test_a_changed_label_is_an_error(config, smoothing):
    logits, label = case()
    loss = MODELS.build(dict(config, label_smoothing=smoothing))(logits, label)
    label[label == 255] = label.min()
    with changed:
        loss.backward()


@pytest.mark.parametrize('config', [CE, JML])
@pytest.mark.parametrize('which', ['target', 'weight', 'logits'])
def test_a_changed_soft_target_weight_or_prediction_is_an_error(config, which):
    leaf, _ = case()
    given = {
        'logits': leaf * 1,
        'target': torch.rand(leaf.shape, dtype=leaf.dtype),
        'weight': torch.rand(2, 9, 11),
    }
    loss = MODELS.build(config)(**given)
    with torch.no_grad():
        given[which].mul_(0.5)
    with changed:
        loss.backward()


def test_changed_class_weights_are_an_error():
    ce = MODELS.build(dict(CE, class_weight=[1.0, 2.0, 1.0, 1.0, 1.0]))
    loss = ce(*case())
    ce.class_weight[0] = 0.5
    with changed:
        loss.backward()


def test_a_changed_epsilon_of_a_transform_is_an_error():
    epsilon = torch.full((2, 9, 11), 0.5)

    class Held:
        def epsilon_map(self, label, ignore_index):
            return epsilon

        def __call__(self, label, num_classes, ignore_index=255):
            raise AssertionError

    loss = MODELS.build(dict(JML, label_smoothing=Held()))(*case())
    epsilon.zero_()
    with changed:
        loss.backward()


@pytest.mark.parametrize('kind', [CE, JML, dict(type='KLDistillationLoss')])
def test_changed_logits_of_a_teacher_are_an_error(kind):
    logits, label = case()
    teacher = torch.randn(logits.shape)
    loss = TaughtLoss(CompoundLoss(losses=[CE]), [dict(kind, loss_name='loss_kd')])
    with loss.taught_by(teacher):
        *_, value = [part(logits, label) for part in loss]
    teacher.zero_()
    with changed:
        value.backward()


def test_a_changed_target_of_the_function_is_an_error():
    probs = torch.rand(1, 3, 4, 4, requires_grad=True)
    target = torch.rand(1, 3, 4, 4)
    loss = jaccard_loss(probs, target)
    target.zero_()
    with changed:
        loss.backward()


def test_a_change_after_backward_is_none():
    logits, label = case()
    MODELS.build(JML)(logits, label).backward()
    label.zero_()
    assert torch.isfinite(logits.grad).all()
