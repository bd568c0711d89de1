"""A segmentor that is its own teacher: what the average is, and what moves it."""

import copy

import pytest
import torch
from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn
from torch.nn.functional import interpolate
from torch.testing import assert_close

from mmseg_jml.losses import SoftCrossEntropyLoss
from tests.segmentors.distilled import SIZE, build, plain_config, total
from tests.segmentors.semi_supervised import (
    CONSTANT,
    FIXMATCH,
    branches,
    semi_config,
    sgd,
    student_state,
)

ANNEALED = {'type': 'MomentumAnnealingEMA', 'momentum': 0.3, 'gamma': 1}


def moved(state, student, share):
    """A moving average after a step."""
    return {
        key: value + share * (student[key] - value)
        for key, value in state.items()
        if value.is_floating_point()
    }


def test_the_teacher_of_iteration_0_is_the_student():
    model = build(semi_config())
    model.init_weights()
    nn.init.normal_(model.decode_head.conv_seg.weight)
    before = student_state(model)
    model.train().loss(*branches())
    teacher = model.teacher.module.state_dict()
    assert teacher.keys() == build(plain_config()).state_dict().keys()
    assert all(torch.equal(teacher[key], before[key]) for key in before)


@pytest.mark.parametrize(
    ('ema', 'share'),
    [(CONSTANT, lambda i: 0.3), (ANNEALED, lambda i: max(0.3, 1 / (1 + i)))],
    ids=['constant', 'annealed'],
)
def test_the_teacher_is_the_average_of_parameters_and_statistics(ema, share):
    # `double` replaces tensors, as a move to another device does.
    model = build(semi_config(ema=ema)).double().train()
    optim = sgd(model)
    expected = student_state(model)
    for iteration in range(4):
        student = student_state(model)
        expected = moved(expected, student, share(iteration) if iteration else 1)
        optim.update_params(total(model.loss(*branches(seed=iteration, double=True))))
        teacher = model.teacher.module.state_dict()
        for key, value in expected.items():
            assert_close(teacher[key], value, msg=key)
    assert not torch.equal(
        teacher['backbone.encoder.0.0.convs.0.bn.running_mean'],
        student['backbone.encoder.0.0.convs.0.bn.running_mean'],
    )


def test_a_loss_outside_of_training_does_not_step_the_average():
    model = build(semi_config()).train()
    model.loss(*branches())
    model.eval().loss(*branches())
    assert model.teacher.steps == 1


def test_optimizer_groups_leave_the_teacher_alone():
    model = build(semi_config()).train()
    wrapper = OPTIM_WRAPPER_CONSTRUCTORS.get('NoFlatDecayConstructor')(
        {'optimizer': {'type': 'SGD', 'lr': 0.5, 'weight_decay': 0.1, 'momentum': 0.9}},
        {'custom_keys': {'head': {'lr_mult': 10.0}}},
    )(model)
    losses = total(model.loss(*branches()))
    before = copy.deepcopy(model.teacher.state_dict())
    wrapper.update_params(losses)
    after = model.teacher.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(p.requires_grad for p in model.teacher.parameters())


def test_the_teacher_predicts_without_dropout_and_with_its_own_statistics():
    cfg = semi_config()
    cfg.decode_head.dropout_ratio = 0.5
    model = build(cfg).train()
    model.loss(*branches())
    assert model.decode_head.training
    assert not any(module.training for module in model.teacher.modules())
    before = copy.deepcopy(model.teacher.state_dict())
    model._teacher_logits(branches()[0]['weak'])
    after = model.teacher.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_copy_averages_on_its_own():
    model = build(semi_config(ema=CONSTANT)).train()
    model.loss(*branches())
    twin = copy.deepcopy(model)
    nn.init.ones_(twin.decode_head.conv_seg.weight)
    before = copy.deepcopy(model.teacher.state_dict())
    twin.loss(*branches())
    name = 'decode_head.conv_seg.weight'
    expected = 0.7 * before[f'module.{name}'] + 0.3
    assert_close(twin.teacher.module.state_dict()[name], expected)
    after = model.teacher.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def mean_teacher_by_hand(steps, share):
    """The losses of a plain model and its average over some steps; the last weights."""
    model = build(plain_config()).train()
    average = copy.deepcopy(model).eval()
    optim = sgd(model)
    found = []
    for step in range(steps):
        if step:
            for ours, theirs in zip(
                average.state_dict().values(), model.state_dict().values(), strict=True
            ):
                if ours.is_floating_point():
                    ours += share * (theirs - ours)
        inputs, samples = branches(seed=step)
        valid = torch.stack([s.gt_sem_seg.data[0] for s in samples['weak']]) != 255
        losses = model.loss(inputs['labelled'], samples['labelled'])
        with torch.no_grad():
            features = average.extract_feat(inputs['weak'])
            target = average.decode_head(features)
            target = interpolate(target, SIZE, mode='bilinear').softmax(1)
        logits = model.decode_head(model.extract_feat(inputs['weak']))
        logits = interpolate(logits, SIZE, mode='bilinear')
        consistency = SoftCrossEntropyLoss()(logits, target, weight=valid.float())
        found.append((losses['decode.loss_jml'].item(), consistency.item()))
        optim.update_params(losses['decode.loss_jml'] + consistency)
    return found, model.state_dict()


def test_fixmatch_without_threshold_and_strong_view_is_mean_teacher():
    model = build(
        semi_config(
            {
                **FIXMATCH,
                'loss': {'type': 'SoftCrossEntropyLoss'},
                'views': {'weak': 1.0},
            },
            pseudo_label={'threshold': 0.0},
            ema=CONSTANT,
        )
    ).train()
    optim = sgd(model)
    found = []
    for step in range(3):
        losses = model.loss(*branches(seed=step))
        optim.update_params(total(losses))
        names = ('decode.loss_jml', 'weak.loss_ce')
        found.append(tuple(losses[name].item() for name in names))
    expected, weights = mean_teacher_by_hand(3, share=0.3)
    assert_close(torch.tensor(found), torch.tensor(expected))
    for key, value in student_state(model).items():
        assert_close(value, weights[key], msg=key)
