"""The objective on unlabelled pictures: masks, mixing, perturbed features."""

import pytest
import torch
from mmengine.registry import init_default_scope
from torch.nn import functional
from torch.testing import assert_close

from mmseg_jml.functional.pseudo_labels import PseudoLabels
from mmseg_jml.losses import CompoundLoss, JaccardMetricLoss, SoftCrossEntropyLoss
from mmseg_jml.segmentors.unlabelled import UnlabelledObjective
from tests.segmentors.semi_supervised import CE, COMPOUND, JML

C, SIZE = 4, (6, 8)
KINDS = [{'temperature': 0.5}, {'kind': 'hard'}]


def objective(loss=COMPOUND, cutmix=0.0, mean_over='valid', **pseudo_label):
    init_default_scope('mmseg')
    return UnlabelledObjective(
        loss=loss,
        views={'strong': 1.0},
        pseudo_label={'threshold': 0.5, **pseudo_label},
        num_classes=C,
        cutmix=cutmix,
        mean_over=mean_over,
    )


def normal(*shape, seed=0, scale=2.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def taught(made, number=3):
    """Pseudo-labels of random logits; the first rows are padding."""
    valid = torch.ones(number, *SIZE, dtype=torch.bool)
    valid[:, :2] = False
    unknown = torch.full((number, *SIZE), -1)
    return made.teach(normal(number, C, *SIZE, seed=1), valid, unknown)[0], valid


@pytest.mark.parametrize('options', KINDS)
@pytest.mark.parametrize('loss', [COMPOUND, CE, JML])
def test_pixels_that_are_left_out_change_neither_value_nor_gradient(loss, options):
    made = objective(loss, **options)
    labels, valid = taught(made)
    left_out = labels.weight == 0
    assert left_out[~valid].all()
    assert 0 < left_out[valid].sum() < valid.sum()
    found = []
    for noise in (0.0, 100.0):
        logits = (
            normal(3, C, *SIZE)
            + noise * normal(3, C, *SIZE, seed=2) * (left_out[:, None])
        )
        logits.requires_grad_()
        value = sum(made.losses(logits, labels).values())
        (gradient,) = torch.autograd.grad(value, logits)
        assert (gradient.movedim(1, -1)[left_out] == 0).all()
        found.append((value.detach(), gradient))
    assert_close(*found)


@pytest.mark.parametrize('options', KINDS)
def test_what_left_out_pixels_are_labelled_does_not_matter(options):
    made = objective(**options)
    labels, _ = taught(made)
    logits = normal(3, C, *SIZE)
    expected = made.losses(logits, labels)
    left_out = labels.weight == 0
    if labels.target.is_floating_point():
        other = torch.where(left_out[:, None], 1 - labels.target, labels.target)
    else:
        other = torch.where(left_out, (labels.target + 1) % C, labels.target)
    assert made.losses(logits, labels._replace(target=other)) == expected


def test_both_terms_are_on_one_target_and_one_mask():
    made = objective()
    labels, _ = taught(made)
    logits = normal(3, C, *SIZE)
    ce = SoftCrossEntropyLoss()(logits, labels.target, weight=labels.weight)
    jml = JaccardMetricLoss()(logits, labels.target, weight=labels.weight)
    share = labels.weight.sum() / labels.valid.sum()
    found = made.losses(logits, labels)
    expected = {'loss_ce': 0.25 * share * ce, 'loss_jml': 0.75 * share * jml}
    assert_close(found, expected)


@pytest.mark.parametrize('options', KINDS)
def test_cross_entropy_is_a_mean_over_what_it_is_said_to_be(options):
    """Over all valid pixels as in FixMatch; the padded are in no mean."""
    plain = {'type': 'SoftCrossEntropyLoss'}
    made, other = (
        objective(plain, mean_over=kind, **options) for kind in ('valid', 'supervised')
    )
    labels, valid = taught(made)
    logits = normal(3, C, *SIZE)
    each = functional.cross_entropy(logits, labels.target, reduction='none')
    total = (each * labels.weight).sum()
    assert 0 < labels.weight.sum() < valid.sum() < valid.numel()
    assert_close(made.losses(logits, labels)['loss_ce'], total / valid.sum())
    expected = total / labels.weight.sum()
    assert_close(other.losses(logits, labels)['loss_ce'], expected)


def test_a_batch_of_padding_loses_nothing():
    made = objective()
    labels, _ = taught(made)
    nothing = torch.zeros_like(labels.weight)
    labels = labels._replace(weight=nothing, valid=nothing.bool())
    found = made.losses(normal(3, C, *SIZE), labels)
    assert [value.item() for value in found.values()] == [0, 0]


def test_parts_of_one_name_add_up():
    twice = {'type': 'CompoundLoss', 'losses': [CE, CE]}
    labels, _ = taught(objective())
    logits = normal(3, C, *SIZE)
    single, double = (objective(loss).losses(logits, labels) for loss in (CE, twice))
    assert_close(double['loss_ce'], 2 * single['loss_ce'])


def test_the_compound_loss_is_asked_as_a_head_asks_it(monkeypatch):
    passes = []
    compute = CompoundLoss.compute_all
    monkeypatch.setattr(
        CompoundLoss,
        'compute_all',
        lambda self, *inputs: passes.append(1) or compute(self, *inputs),
    )
    labels, _ = taught(objective())
    objective().losses(normal(3, C, *SIZE), labels)
    assert len(passes) == 1


@pytest.mark.parametrize('options', KINDS)
def test_a_picture_and_its_label_are_mixed_alike(options):
    """Pictures whose pixels are their labels still are when they are mixed."""
    made = objective(cutmix=1.0, **options)
    labels, _ = taught(made)
    pictures = torch.stack([labels.label, labels.weight, labels.valid], 1)
    generator = torch.Generator().manual_seed(0)
    mixed, target = made.mixed('strong', pictures, labels, generator)
    assert not torch.equal(mixed, pictures)
    assert torch.equal(mixed[:, 0], target.label.to(mixed))
    assert torch.equal(mixed[:, 1], target.weight)
    assert torch.equal(mixed[:, 2], target.valid.to(mixed))
    if target.target.is_floating_point():
        assert torch.equal(target.target.argmax(1), target.label)
    else:
        assert torch.equal(target.target, target.label)


def test_strong_views_are_mixed_differently_and_others_not_at_all():
    made = objective(cutmix=1.0)
    labels, _ = taught(made)
    pictures, generator = normal(3, 3, *SIZE), torch.Generator().manual_seed(0)
    views = ('weak', 'features', 'strong', 'strong_2')
    found = [made.mixed(view, pictures, labels, generator)[0] for view in views]
    assert found[0] is pictures
    assert found[1] is pictures
    assert len({each.sum().item() for each in found}) == 3


def test_one_picture_alone_is_mixed_with_nothing():
    made = objective(cutmix=1.0)
    labels, _ = taught(made, number=1)
    picture, generator = normal(1, 3, *SIZE), torch.Generator().manual_seed(0)
    mixed, target = made.mixed('strong', picture, labels, generator)
    assert torch.equal(mixed, picture)
    assert all(map(torch.equal, target, labels))


def test_features_lose_half_of_their_channels_in_that_view_alone():
    made = objective()
    features = [torch.ones(2, 400, 3, 3), torch.ones(2, 50, 2, 2)]
    generator = torch.Generator().manual_seed(0)
    assert made.perturbed('strong', features, generator) is features
    dropped = made.perturbed('features', features, generator)
    assert [each.shape for each in dropped] == [each.shape for each in features]
    assert (dropped[0][:, :, 0, 0] == 0).float().mean().item() == pytest.approx(
        0.5, abs=0.06
    )


def test_the_objective_has_nothing_to_save():
    assert not objective().state_dict()


def test_weights_of_mixed_labels_stay_zero_and_one():
    made = objective(cutmix=1.0)
    labels, _ = taught(made)
    generator = torch.Generator().manual_seed(0)
    _, target = made.mixed('strong', normal(3, 3, *SIZE), labels, generator)
    assert isinstance(target, PseudoLabels)
    assert set(target.weight.unique().tolist()) == {0.0, 1.0}
