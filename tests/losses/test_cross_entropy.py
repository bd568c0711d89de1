"""SoftCrossEntropyLoss beside torch's own."""

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmseg_jml.functional.targets import one_hot
from mmseg_jml.losses import SoftCrossEntropyLoss
from tests.losses.cases import case, value_and_grad

WEIGHTS = [1.0, 2.0, 0.5, 1.5, 3.0]


def test_hard_labels_give_torchs_cross_entropy():
    logits, label = case()
    ours = value_and_grad(SoftCrossEntropyLoss(), logits, label)
    theirs = value_and_grad(F.cross_entropy, logits, label, ignore_index=255)
    assert_close(ours, theirs)


def test_class_weights_and_ignored_pixels_go_together():
    logits, label = case()
    weight = torch.tensor(WEIGHTS, dtype=torch.float64)
    ours = value_and_grad(SoftCrossEntropyLoss(class_weight=WEIGHTS), logits, label)
    theirs = value_and_grad(
        F.cross_entropy, logits, label, weight=weight, ignore_index=255
    )
    assert_close(ours, theirs)


def test_soft_targets_give_torchs_cross_entropy_without_ignored_pixels():
    logits, _ = case()
    target = case(seed=1)[0].detach().softmax(1)
    ours = value_and_grad(SoftCrossEntropyLoss(), logits, target)
    assert_close(ours, value_and_grad(F.cross_entropy, logits, target))


def test_label_smoothing_gives_torchs_where_torch_can():
    logits, label = case()
    smoothing = dict(type='LabelSmoothing', epsilon=0.1)
    ours = SoftCrossEntropyLoss(label_smoothing=smoothing)
    theirs = F.cross_entropy(logits, label, ignore_index=255, label_smoothing=0.1)
    assert_close(ours(logits, label), theirs, rtol=1e-6, atol=0)


def test_sigmoid_is_the_mean_of_the_valid_binary_cross_entropies():
    logits, label = case()
    target = one_hot(label, 5, dtype=torch.float64)
    each = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
    valid = (label != 255).unsqueeze(1).expand_as(each)
    loss = SoftCrossEntropyLoss(use_sigmoid=True)
    assert_close(loss(logits, label), each[valid].mean())


def test_the_smallest_loss_is_at_the_target():
    target = case()[0].detach().softmax(1)
    at_target = value_and_grad(
        SoftCrossEntropyLoss(), target.log().requires_grad_(), target
    )
    assert at_target[1].abs().max() < 1e-12
    assert SoftCrossEntropyLoss()(case(seed=2)[0], target) > at_target[0]
