"""What the loss fragments make of the heads, and what the docs say of them."""

import re

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict

from mmseg_jml.losses import JaccardMetricLoss
from tests.configs.tree import CONFIGS, load
from tests.losses.heads import CHANNELS, COMMON, build, features, labels, samples
from tests.processes import ROOT

FRAGMENTS = sorted(path.stem for path in (CONFIGS / '_base_' / 'losses').glob('*.py'))
HEAD = dict(type='FCNHead', in_channels=CHANNELS[-1], in_index=3, num_convs=1, **COMMON)
NEEDS_OPERATORS = 'focal'


def fragment(name):
    """The losses of a file, by the role of the head."""
    found = load(CONFIGS / '_base_' / 'losses' / f'{name}.py')
    return {role: found[role] for role in found if role.startswith('loss_')}


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


def table():
    """The rows of the docs' table of weights: (fragment, cells)."""
    text = (ROOT / 'docs' / 'configs.md').read_text()
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


@pytest.mark.parametrize('name', FRAGMENTS)
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


def test_the_docs_table_has_no_other_row():
    assert sorted(table()) == FRAGMENTS
