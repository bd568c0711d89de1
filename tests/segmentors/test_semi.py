"""A segmentor that is its own teacher: the average, the objective, the predictions."""

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn
from torch.nn.functional import interpolate
from torch.testing import assert_close

from mmseg_jml.functional.pseudo_labels import ramp_up
from mmseg_jml.losses import SoftCrossEntropyLoss
from tests.segmentors.distilled import (
    CLASSES,
    SIZE,
    auxiliary_head,
    batch,
    build,
    plain_config,
    total,
)
from tests.segmentors.semi_supervised import (
    CE,
    COMPOUND,
    FIXMATCH,
    UNIMATCH,
    branches,
    semi_config,
)

CONSTANT = {'type': 'ExponentialMovingAverage', 'momentum': 0.3}
ANNEALED = {'type': 'MomentumAnnealingEMA', 'momentum': 0.3, 'gamma': 1}
ON_WEAK = {'loss': COMPOUND, 'views': {'weak': 1.0}}


def student_state(model):
    """A copy of what a plain checkpoint would hold."""
    state = model.state_dict().items()
    return {k: v.clone() for k, v in state if not k.startswith('teacher.')}


def sgd(model):
    """An optimizer that would move every parameter it may, gradient or not."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return OptimWrapper(torch.optim.SGD(parameters, lr=0.5, weight_decay=0.1))


def gradients(model, losses):
    """Of all parameters that have one."""
    model.zero_grad()
    total(losses).backward()
    found = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
    return {k: grad.clone() for k, grad in found.items()}


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


def test_no_gradient_goes_into_the_teacher():
    model = build(semi_config(UNIMATCH)).train()
    found = gradients(model, model.loss(*branches()))
    assert {k for k, p in model.named_parameters() if p.requires_grad} == set(found)
    assert not any(key.startswith('teacher.') for key in found)


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


def test_each_view_has_its_weight():
    plain = build(semi_config({**FIXMATCH, 'views': {'strong': 1.0}}))
    both = build(semi_config({**FIXMATCH, 'views': {'strong': 0.25, 'strong_2': 0.75}}))
    inputs, samples = branches()
    inputs['strong_2'] = inputs['strong']
    expected = plain.eval().loss(inputs, samples)['strong.loss_ce']
    losses = both.eval().loss(inputs, samples)
    assert_close(losses['strong.loss_ce'], 0.25 * expected)
    assert_close(losses['strong_2.loss_ce'], 0.75 * expected)


def test_the_unlabelled_weight_rises_with_the_iterations():
    inputs = branches()
    full, rising = (build(semi_config(ramp_up=n)).eval() for n in (0, 10))
    for model in (full, rising):
        model.teacher.steps.fill_(4)
    expected = full.loss(*inputs)
    losses = rising.loss(*inputs)
    assert_close(
        losses['strong.loss_jml'], ramp_up(4, 10) * expected['strong.loss_jml']
    )
    assert_close(losses['decode.loss_jml'], expected['decode.loss_jml'])


@pytest.mark.parametrize('unlabelled', [FIXMATCH, UNIMATCH], ids=['fix', 'uni'])
@pytest.mark.parametrize('kind', ['soft', 'hard'])
def test_true_labels_of_unlabelled_pictures_change_no_loss(unlabelled, kind):
    found = []
    for truth in (None, 0, 3, 254):
        cfg = semi_config(unlabelled, pseudo_label={'threshold': 0.26, 'kind': kind})
        model = build(cfg).train()
        losses = model.loss(*branches(truth=truth))
        found.append({k: v for k, v in losses.items() if 'loss' in k})
    for losses in found[1:]:
        assert all(torch.equal(losses[key], found[0][key]) for key in losses)


def test_nothing_past_the_threshold_is_a_zero_without_gradient():
    model = build(semi_config(UNIMATCH, pseudo_label={'threshold': 1.0})).train()
    for module in model.modules():  # statistics of batches are no gradient
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    inputs, samples = branches()
    losses = model.loss(inputs, samples)
    views = {k: v for k, v in losses.items() if 'loss' in k and 'decode' not in k}
    assert len(views) == 6
    assert all(value.item() == 0 for value in views.values())
    assert losses['pseudo.share'] == 0
    found = gradients(model, views)
    assert all((grad == 0).all() for grad in found.values())
    assert found.keys() == gradients(model, {'loss': losses['decode.loss_jml']}).keys()


def test_auxiliary_heads_learn_from_labels_alone():
    losses = (
        build(semi_config(auxiliary_head=auxiliary_head())).train().loss(*branches())
    )
    assert {key for key in losses if 'aux' in key} == {'aux.loss_jml', 'aux.acc_seg'}
    total(losses).backward()


def test_a_binary_head_learns_from_pseudo_labels():
    loss = {'type': 'JaccardMetricLoss', 'use_sigmoid': True}
    cfg = semi_config({**UNIMATCH, 'loss': loss}, pseudo_label={'threshold': 0.5})
    cfg.decode_head.update(num_classes=2, out_channels=1, threshold=0.5)
    cfg.decode_head.loss_decode.use_sigmoid = True
    inputs, samples = branches()
    for each in samples['labelled']:
        label = each.gt_sem_seg.data
        label[label < CLASSES] %= 2
    losses = build(cfg).train().loss(inputs, samples)
    assert losses['features.loss_jml'] > 0
    total(losses).backward()


def test_a_step_draws_the_same_when_it_is_taken_again():
    """And nothing else moves the random state than what moves it alone."""
    inputs = branches()
    state = torch.get_rng_state()
    found = []
    for _ in range(2):
        model = build(semi_config(UNIMATCH, pseudo_label={'threshold': 0.0})).train()
        torch.set_rng_state(state)
        model.teacher.steps.fill_(7)
        found.append(model.loss(*inputs))
        assert torch.equal(torch.get_rng_state(), state)
        state = torch.manual_seed(torch.initial_seed()).get_state()
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_figures_for_the_log_are_no_losses():
    losses = build(semi_config()).train().loss(*branches())
    figures = {key for key in losses if key.startswith('pseudo.')}
    assert figures == {'pseudo.share', 'pseudo.accuracy'}
    assert 'loss' not in ''.join(figures)


def test_accuracy_is_that_of_supervised_pixels_whose_truth_is_known():
    model = build(semi_config(pseudo_label={'threshold': 0.3})).train()
    inputs, samples = branches(number=3)
    samples['weak'][2].set_metainfo({'has_label': False})
    truth = torch.stack([each.gt_sem_seg.data[0] for each in samples['weak']])
    truth[0, :9] = 254  # ignored where it is labelled
    for each, label in zip(samples['weak'], truth, strict=True):
        each.gt_sem_seg.data = label[None]
    losses = model.loss(inputs, samples)
    probs = model._teacher_logits(inputs['weak']).softmax(1)
    supervised = (probs.amax(1) >= 0.3) & (truth != 255)
    share = supervised.sum() / (truth != 255).sum()
    assert_close(losses['pseudo.share'], share)
    known = (supervised & (truth < CLASSES))[:2]
    right = (probs.argmax(1) == truth)[:2]
    assert_close(losses['pseudo.accuracy'], right[known].float().mean())


def test_counts_of_classes_add_up_over_steps():
    model = build(semi_config()).train()
    for seed in range(2):
        model.loss(*branches(seed=seed))
    everything, supervised = model.unlabelled.counts.sum(1)
    assert everything == 2 * 2 * (SIZE[0] * SIZE[1] - 64)
    assert 0 < supervised < everything


def predictions(model, eval_model):
    model.eval_model = eval_model
    inputs, samples = batch()
    for sample in samples:
        sample.set_metainfo({'ori_shape': SIZE, 'img_shape': SIZE})
    with torch.no_grad():
        return model.eval().predict(inputs, samples)


def scores(samples):
    return torch.stack([sample.seg_logits.data for sample in samples])


def test_either_model_or_both_predict():
    model = build(semi_config(ema=CONSTANT)).train()
    optim = sgd(model)
    for seed in range(2):
        optim.update_params(total(model.loss(*branches(seed=seed))))
    inputs, _ = batch()
    with torch.no_grad():
        student = model.eval()(inputs)
        average = model.teacher.module(inputs)
    both = predictions(model, 'both')
    for eval_model, logits in (('student', student), ('ema', average)):
        found = predictions(model, eval_model)
        assert {sample.eval_model for sample in found} == {eval_model}
        assert_close(scores(found), interpolate(logits, SIZE, mode='bilinear'))
        inside = [s.student for s in both] if eval_model == 'student' else both
        assert {sample.eval_model for sample in inside} == {eval_model}
        assert torch.equal(scores(inside), scores(found))
    assert not torch.equal(student, average)


def test_before_the_first_step_the_average_predicts_as_the_student():
    model = build(semi_config())
    nn.init.normal_(model.decode_head.conv_seg.weight)
    average, student = (predictions(model, name) for name in ('ema', 'student'))
    assert torch.equal(scores(average), scores(student))


def test_pictures_without_data_samples_are_predicted():
    (found,) = build(semi_config(eval_model='both')).eval().predict(batch(1)[0])
    assert found.student.pred_sem_seg.shape == SIZE


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


@pytest.mark.parametrize(
    ('changes', 'error', 'words'),
    [
        (dict(eval_model='teacher'), ValueError, "`eval_model` .* got 'teacher'"),
        (dict(ramp_up=-1), ValueError, '`ramp_up` must be .* >= 0, got -1'),
        (dict(ema=0.99), TypeError, r'`ema` must be the config .* got 0.99'),
        (dict(ema={'type': 'ReLU'}), TypeError, "`ema` must be .* got 'ReLU'"),
        (dict(ema={'type': 'EMA'}), TypeError, "`ema` must be .* got 'EMA'"),
        (dict(unlabelled={**FIXMATCH, 'views': {}}), ValueError, r'`unlabelled.views`'),
        (
            dict(unlabelled={**FIXMATCH, 'views': {'strong_3': 1.0}}),
            ValueError,
            r"`unlabelled.views` .* \('weak', 'strong', 'strong_2', 'features'\), got",
        ),
        (
            dict(unlabelled={**FIXMATCH, 'views': {'weak': 0}}),
            ValueError,
            r'`unlabelled.views.weak` must be .* > 0, got 0',
        ),
        (
            dict(unlabelled={**FIXMATCH, 'cutmix': 2}),
            ValueError,
            r'`unlabelled.cutmix` must be in \[0, 1\], got 2',
        ),
        (
            dict(unlabelled={**FIXMATCH, 'loss': {'type': 'CrossEntropyLoss'}}),
            TypeError,
            '`unlabelled.loss` .* got CrossEntropyLoss',
        ),
        (
            dict(
                unlabelled={
                    **FIXMATCH,
                    'loss': {
                        'type': 'CompoundLoss',
                        'losses': [CE, {'type': 'DiceLoss'}],
                    },
                }
            ),
            TypeError,
            '`unlabelled.loss` .* got DiceLoss',
        ),
        (dict(pseudo_label={'kind': 'firm'}), ValueError, '`pseudo_label.kind`'),
    ],
)
def test_options_that_cannot_work_are_refused(changes, error, words):
    with pytest.raises(error, match=words):
        build(semi_config(**changes))


def test_a_batch_without_branches_is_told():
    with pytest.raises(ValueError, match=r"branches \('labelled', .* got no branches"):
        build(semi_config()).train().loss(*batch())


def test_a_branch_that_a_view_needs_is_told():
    with pytest.raises(ValueError, match=r"'strong_2'\), got \('labelled', 'weak', 's"):
        build(semi_config(UNIMATCH)).train().loss(*branches(strong=1))
