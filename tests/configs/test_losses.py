"""What the loss fragments make of the heads, and what the docs say of them."""

import re

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

from mmseg_jml.losses import JaccardMetricLoss, TaughtLoss
from tests.configs.tree import CONFIGS, load
from tests.losses.heads import (
    CHANNELS,
    COMMON,
    NUM_CLASSES,
    build,
    features,
    labels,
    samples,
)
from tests.processes import ROOT

FRAGMENTS = sorted(path.stem for path in (CONFIGS / '_base_' / 'losses').glob('*.py'))
HEAD = dict(type='FCNHead', in_channels=CHANNELS[-1], in_index=3, num_convs=1, **COMMON)
NEEDS_OPERATORS = 'focal'
SHORT = {
    'SoftCrossEntropyLoss': 'CE',
    'JaccardMetricLoss': 'JML',
    'KLDistillationLoss': 'KL',
    'CWDLoss': 'CWD',
    'DISTLoss': 'DIST',
}
DISTILLED = ('ce-kd', 'jml-kd', 'kl', 'cwd', 'dist')


def fragment(name):
    """The losses of a file, by the role of the head."""
    found = load(CONFIGS / '_base_' / 'losses' / f'{name}.py')
    return {role: found[role] for role in found if role.startswith('loss_')}


def of_teacher(name):
    """The losses to a teacher of a file, by the role of the head; none without one."""
    found = load(CONFIGS / '_base_' / 'losses' / f'{name}.py')
    roles = {role: found[role] for role in found if role.startswith('distill_')}
    return {role.replace('distill', 'loss'): v for role, v in roles.items() if v}


@pytest.mark.parametrize('name', [f for f in FRAGMENTS if f != NEEDS_OPERATORS])
def test_every_loss_of_a_fragment_trains_a_head(name):
    for role, loss in fragment(name).items():
        head = build(**HEAD, loss_decode=loss)
        losses = head.loss(features(), samples(labels()), ConfigDict())
        terms = [value for key, value in losses.items() if 'loss' in key]
        sum(terms).backward()
        assert all(term.isfinite() and term > 0 for term in terms), role
        gradient = head.conv_seg.weight.grad
        assert gradient.isfinite().all(), role
        assert gradient.abs().sum() > 0, role


@pytest.mark.skipif(torch.cuda.is_available(), reason='it is the CPU that fails')
def test_mmsegs_focal_loss_still_fails_on_a_cpu():
    """When this fails, the sentence in focal.py and the docs can go."""
    head = build(**HEAD, loss_decode=fragment('focal')['loss_main'])
    with pytest.raises(RuntimeError, match='size of tensor'):
        head.loss(features(), samples(labels()), ConfigDict())


def test_the_total_is_that_of_the_authors():
    """0.25 (CE_main / 2 + CE_aux / 2) + 0.75 JML_main."""
    losses = fragment('jml')
    label, total = labels(), 0
    logits = {}
    for role in ('loss_main', 'loss_aux'):
        head = build(**HEAD, loss_decode=losses[role])
        head.conv_seg.weight.data *= 1 + len(role)  # two different heads
        logged = head.loss(features(), samples(label), ConfigDict())
        total += sum(value for key, value in logged.items() if 'loss' in key)
        small = head(features())
        logits[role] = F.interpolate(small, label.shape[1:], mode='bilinear')
    ce = [F.cross_entropy(x, label, ignore_index=255) for x in logits.values()]
    jml = JaccardMetricLoss()(logits['loss_main'], label)
    torch.testing.assert_close(total, 0.25 * sum(ce) / 2 + 0.75 * jml)


def test_jml_kd_is_that_of_the_authors():
    """0.25 (CE_main / 2 + CE_aux / 2) + 0.75 JML_main, half of each to a teacher."""
    to_label, to_teacher = fragment('jml-kd'), of_teacher('jml-kd')
    label, total, expected = labels(), 0, 0
    for role in ('loss_main', 'loss_aux'):
        head = build(**HEAD, loss_decode=to_label[role])
        logits = F.interpolate(head(features()), label.shape[1:], mode='bilinear')
        teacher = torch.randn(logits.shape, generator=torch.Generator().manual_seed(2))
        head.loss_decode = TaughtLoss(head.loss_decode, to_teacher[role])
        with head.loss_decode.taught_by(teacher):
            logged = head.loss(features(), samples(label), ConfigDict())
        total += sum(value for key, value in logged.items() if 'loss' in key)
        valid, probs = label != 255, teacher.softmax(1)
        weight = valid.float()
        kl = F.kl_div(logits.log_softmax(1), probs, reduction='none').sum(1)[valid]
        ce = F.cross_entropy(logits, label, ignore_index=255)
        expected += 0.25 * 0.5 * (ce + kl.mean()) / 2
        if role == 'loss_main':
            jml = JaccardMetricLoss()
            both = jml(logits, label) + jml(logits, probs, weight=weight)
            expected += 0.75 * both / 2
    torch.testing.assert_close(total, expected)


@pytest.mark.parametrize('name', DISTILLED)
def test_every_loss_to_a_teacher_trains_a_head(name):
    for role, losses in of_teacher(name).items():
        head = build(**HEAD, loss_decode=fragment(name)[role])
        logits = torch.randn(2, NUM_CLASSES, 64, 64)
        head.loss_decode = TaughtLoss(head.loss_decode, losses)
        with head.loss_decode.taught_by(logits):
            logged = head.loss(features(), samples(labels()), ConfigDict())
        names = {loss.loss_name for loss in head.loss_decode}
        assert len(names) == len(head.loss_decode), (
            'each is logged by a name of its own'
        )
        sum(logged[name] for name in names).backward()
        assert all(logged[name] > 0 for name in names), role
        assert head.conv_seg.weight.grad.isfinite().all(), role


def table(page='configs'):
    """The rows of a page's table of weights: (fragment, cells)."""
    text = (ROOT / 'docs' / f'{page}.md').read_text()
    (section,) = re.findall(r'## Losses and their weights\n(.*?)\n## ', text, re.S)
    rows = [
        line.strip('| ').split(' | ') for line in section.splitlines() if '|' in line
    ]
    return {row[0].strip('`'): row[1:] for row in rows[2:]}


def weight(loss, kind):
    """How much of a kind of loss is in a head's losses."""
    parts = loss['losses'] if loss['type'] == 'CompoundLoss' else [loss]
    found = [part.get('loss_weight', 1.0) for part in parts if kind(part['type'])]
    return f'{sum(found):g}' if found else '-'


@pytest.mark.parametrize('name', sorted(set(FRAGMENTS) - set(DISTILLED)))
def test_the_docs_tell_the_weight_of_every_term(name):
    def is_ce(kind):
        return kind.endswith('CrossEntropyLoss')

    def is_other(kind):
        return not is_ce(kind)

    losses = fragment(name)
    expected = [
        weight(losses[role], kind) if role in losses else '-'
        for role in ('loss_main', 'loss_aux', 'loss_decode')
        for kind in (is_ce, is_other)
    ]
    assert table()[name][:6] == expected


@pytest.mark.parametrize('name', DISTILLED)
def test_the_docs_tell_every_term_of_a_distillation(name):
    def terms(losses):
        losses = losses.get('losses', [losses]) if isinstance(losses, dict) else losses
        built = [MODELS.build(loss) for loss in losses]
        return ', '.join(f'{SHORT[type(b).__name__]} {b.loss_weight:g}' for b in built)

    expected = [
        terms(losses[role]) if role in losses else '-'
        for role in ('loss_main', 'loss_aux', 'loss_decode')
        for losses in (fragment(name), of_teacher(name))
    ]
    assert table('distil')[name] == expected


def test_the_docs_tables_have_no_other_row():
    assert sorted([*table(), *table('distil')]) == FRAGMENTS
