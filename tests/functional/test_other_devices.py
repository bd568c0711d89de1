"""What the pass does on other devices than the CPU, run on the CPU.

There no step may wait for the data: tensors without data prove it. The steps that take
the place of those for the CPU are held to plain sums as well.
"""

import itertools

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close

from mmseg_jml.functional import door
from mmseg_jml.functional.jaccard import VARIANTS
from mmseg_jml.functional.one_pass import chunks, class_sums, label_chunks
from mmseg_jml.losses import CompoundLoss, JaccardMetricLoss
from tests.functional.cases import MODES, REDUCTIONS
from tests.functional.test_class_sums import KINDS, combined, make_case, plain_sums


@pytest.fixture
def elsewhere(monkeypatch):
    """Take every tensor for one of a GPU."""
    for module in (chunks, label_chunks, door):
        monkeypatch.setattr(module, 'on_cpu', lambda tensor: False)


@pytest.mark.parametrize('scale', [1.0, 60.0])
@pytest.mark.parametrize('kind', KINDS)
def test_the_pass_says_what_plain_sums_say(elsewhere, kind, scale):
    logits, targets, weight = make_case(kind, 'softmax', (2, 5, 9, 11), True, scale)
    actual = combined(class_sums(logits, targets, weight, temperature=2.0))
    expected = combined(plain_sums(logits, targets, weight, 'softmax', 2.0))
    assert_close(actual, expected, rtol=1e-9, atol=1e-10)
    gradients = [torch.autograd.grad(sums, logits)[0] for sums in (actual, expected)]
    assert_close(*gradients, rtol=1e-8, atol=1e-10)


SMOOTHINGS = (
    None,
    dict(type='LabelSmoothing'),
    dict(type='BoundaryLabelSmoothing'),
    dict(type='BoundaryLabelSmoothing', ignore_neighbours=False),
)


def step(loss, channels=3, soft=False):
    """A forward and backward pass of tensors that have no data to look at."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        logits = torch.randn(2, channels, 5, 6, requires_grad=True)
        label = torch.randint(0, channels, (2, 5, 6))
        loss(logits, logits.detach() if soft else label, torch.ones(2, 5, 6)).backward()
        return logits.grad.shape


@pytest.mark.parametrize(
    ('mode', 'smoothing'), list(itertools.product(MODES, SMOOTHINGS))
)
def test_no_step_waits_for_the_data(elsewhere, mode, smoothing):
    parts = [
        dict(type='SoftCrossEntropyLoss', class_weight=[1.0, 2.0, 3.0]),
        dict(type='JaccardMetricLoss', active_classes=mode),
    ]
    assert step(CompoundLoss(losses=parts, label_smoothing=smoothing)) == (2, 3, 5, 6)


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('reduction', REDUCTIONS)
def test_no_variant_waits_for_the_data(elsewhere, variant, reduction):
    loss = JaccardMetricLoss(variant=variant, reduction={reduction: 1.0}, smooth=0.0)
    assert step(loss) == step(loss, soft=True) == (2, 3, 5, 6)


def test_no_binary_head_waits_for_the_data(elsewhere):
    assert step(JaccardMetricLoss(use_sigmoid=True), channels=1) == (2, 1, 5, 6)


def test_wrong_ids_of_a_binary_head_end_in_an_assertion(elsewhere):
    loss = JaccardMetricLoss(use_sigmoid=True)
    label = torch.tensor([[[0, 1, 255]]])
    assert loss(torch.zeros(1, 1, 1, 3), label) > 0
    with pytest.raises(RuntimeError, match='nonzero value'):
        loss(torch.zeros(1, 1, 1, 3), label + 1)


def test_a_step_that_waits_is_found_out():
    with pytest.raises(Exception, match=r'item|nonzero|_local_scalar_dense'):
        step(JaccardMetricLoss())


@pytest.mark.skipif(not torch.cuda.is_available(), reason='counts syncs of a real GPU')
@pytest.mark.parametrize('smoothing', SMOOTHINGS)
def test_no_synchronisation_on_a_gpu(smoothing):
    parts = [dict(type='SoftCrossEntropyLoss'), dict(type='JaccardMetricLoss')]
    loss = CompoundLoss(losses=parts, label_smoothing=smoothing)
    logits = torch.randn(2, 3, 50, 60, device='cuda', requires_grad=True)
    label = torch.randint(0, 3, (2, 50, 60), device='cuda')
    loss(logits, label).backward()
    torch.cuda.set_sync_debug_mode('error')
    try:
        loss(logits, label).backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')
