"""A compiled model or training step has the losses that it has without a compiler."""

import pytest
import torch
import torch._dynamo as dynamo
from torch import nn
from torch.testing import assert_close

from mmseg_jml.losses import (
    CompoundLoss,
    CWDLoss,
    DISTLoss,
    JaccardMetricLoss,
    KLDistillationLoss,
    SoftCrossEntropyLoss,
)
from tests.losses.cases import case

# The compiler asks tensors behind a graph break for their `grad` and hides the warning
# from those who only show warnings, but not where warnings are errors.
pytestmark = pytest.mark.filterwarnings('ignore:The .grad attribute:UserWarning')

PARTS = [dict(type='SoftCrossEntropyLoss'), dict(type='JaccardMetricLoss')]
LOSSES = {
    'ce': SoftCrossEntropyLoss,
    'jml': JaccardMetricLoss,
    'compound': lambda: CompoundLoss(losses=PARTS),
    'smoothed': lambda: CompoundLoss(
        losses=PARTS, label_smoothing=dict(type='BoundaryLabelSmoothing')
    ),
    'kl': KLDistillationLoss,
    'cwd': CWDLoss,
    'dist': DISTLoss,
}


@pytest.fixture(autouse=True)
def fresh():
    dynamo.reset()
    dynamo.utils.counters.clear()
    yield
    dynamo.reset()


def result(step, logits):
    logits = logits.detach().requires_grad_()
    value = step(logits)
    value.backward()
    return value.detach(), logits.grad


def assert_compiles(step, logits, backend='aot_eager'):
    """The same value and gradient; a warning would be an error here."""
    found = result(torch.compile(step, backend=backend), logits)
    assert_close(found, result(step, logits), rtol=1e-5, atol=1e-7)
    assert sum(dynamo.utils.counters['graph_break'].values()) <= 1


@pytest.mark.parametrize('name', LOSSES)
def test_a_compiled_step_has_the_same_loss_and_one_graph_break(name):
    logits, label = case(dtype=torch.float32)
    loss, model = LOSSES[name](), nn.Conv2d(5, 5, 1)
    taught = name in ('kl', 'cwd', 'dist')
    target = logits.detach().flip(1) if taught else label
    weight = torch.rand(label.shape)
    assert_compiles(lambda z: 2 * loss(model(z), target, weight).sin(), logits)


@pytest.mark.parametrize('name', ['jml', 'compound'])
def test_a_compiled_loss_is_the_loss(name):
    logits, label = case(dtype=torch.float32)
    loss = LOSSES[name]()
    compiled = torch.compile(LOSSES[name](), backend='aot_eager')
    found = result(lambda z: compiled(z, label), logits)
    assert_close(found, result(lambda z: loss(z, label), logits), rtol=0, atol=0)


def test_a_compiled_head_logs_the_parts_that_it_logs():
    logits, label = case(dtype=torch.float32)
    loss = LOSSES['compound']()

    def step(z):
        logged = {}
        for part in loss:
            logged[part.loss_name] = part(z * 2, label, weight=None, ignore_index=255)
        return logged['loss_ce'] + 3 * logged['loss_jml']

    assert_compiles(step, logits)


def test_the_compiler_of_pytorch_makes_code_around_the_loss():
    logits, label = case(dtype=torch.float32)
    loss = LOSSES['jml']()
    assert_compiles(lambda z: 2 * loss(z * 3, label), logits, backend='inductor')


TRANSFORMS = {
    'grad': lambda step, z: torch.func.grad(step)(z),
    'vmap': lambda step, z: torch.func.vmap(step)(z[None]),
}


@pytest.mark.parametrize('transform', TRANSFORMS)
@pytest.mark.parametrize('name', ['jml', 'compound', 'kl'])
def test_a_transform_of_functions_is_refused(transform, name):
    logits, label = case()
    loss = LOSSES[name]()
    target = logits.detach() if name == 'kl' else label
    with pytest.raises(RuntimeError, match=r'cannot be transformed by torch\.func'):
        TRANSFORMS[transform](lambda z: loss(z, target), logits.detach())
