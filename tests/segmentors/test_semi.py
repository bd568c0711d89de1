"""What a semi-supervised segmentor learns from, what it never does, what it logs."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mmseg_jml.functional.pseudo_labels import ramp_up
from tests.segmentors.distilled import CLASSES, SIZE, auxiliary_head, build, total
from tests.segmentors.semi_supervised import (
    FIXMATCH,
    UNIMATCH,
    branches,
    semi_config,
)


def gradients(model, losses):
    """Of all parameters that have one."""
    model.zero_grad()
    total(losses).backward()
    found = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
    return {k: grad.clone() for k, grad in found.items()}


def test_no_gradient_goes_into_the_teacher():
    model = build(semi_config(UNIMATCH)).train()
    found = gradients(model, model.loss(*branches()))
    assert {k for k, p in model.named_parameters() if p.requires_grad} == set(found)
    assert not any(key.startswith('teacher.') for key in found)


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


VIT = {
    'type': 'VisionTransformer',
    'img_size': SIZE,
    'patch_size': 8,
    'embed_dims': 8,
    'num_layers': 4,
    'num_heads': 2,
    'out_indices': (0, 1, 2, 3),
    'output_cls_token': True,
}
DPT = {
    'type': 'DPTHead',
    'in_channels': (8,) * 4,
    'in_index': (0, 1, 2, 3),
    'input_transform': 'multiple_select',
    'channels': 8,
    'embed_dims': 8,
    'post_process_channels': [4] * 4,
    'num_classes': CLASSES,
    'loss_decode': {'type': 'JaccardMetricLoss'},
}


def test_features_that_hold_a_map_and_a_class_token_are_perturbed():
    model = build(semi_config(UNIMATCH, backbone=VIT, decode_head=DPT)).train()
    features = model.extract_feat(branches()[0]['weak'])
    generator = torch.Generator().manual_seed(0)
    dropped = model.unlabelled.perturbed('features', features, generator)
    for before, after in zip(features, dropped, strict=True):
        for one, other in zip(before, after, strict=True):
            gone = (other == 0).flatten(2).all(-1) if one.ndim > 2 else other == 0
            assert 0 < gone.float().mean() < 1
            assert_close(other[~gone], 2 * one[~gone])


def losses_of(iteration, inputs):
    """From the same weights, whatever was drawn before; nothing common is drawn."""
    model = build(semi_config(UNIMATCH, pseudo_label={'threshold': 0.0})).train()
    model.teacher.steps.fill_(iteration)
    torch.rand(iteration + 1)
    state = torch.get_rng_state()
    losses = model.loss(*inputs)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    return {key: value.detach() for key, value in losses.items()}


def test_what_an_iteration_draws_depends_on_the_seed_and_its_number_alone():
    inputs = branches()
    first, other, again = (losses_of(number, inputs) for number in (7, 8, 7))
    assert first == again
    for key in ('strong.loss_ce', 'strong_2.loss_ce', 'features.loss_ce'):
        assert first[key] != other[key]


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
