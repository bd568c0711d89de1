"""Small images share a chunk, and none of them notices the others."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmseg_jml.functional.one_pass import Target, class_sums
from mmseg_jml.functional.one_pass.passes import Pass
from mmseg_jml.losses import CompoundLoss, JaccardMetricLoss
from tests.functional.test_class_sums import (
    KINDS,
    NEEDS,
    assert_same,
    combined,
    make_case,
)


def alone(monkeypatch):
    """Chunks of one image, of which large ones consist."""
    original = Pass.groups

    def each(self, logits):
        for images, parts in original(self, logits):
            for image in range(images.start, images.stop):
                yield slice(image, image + 1), parts

    monkeypatch.setattr(Pass, 'groups', each)


def sums_and_gradient(kind, activation, weighted, scale=1.0):
    logits, targets, weight = make_case(kind, activation, (7, 5, 6, 5), weighted, scale)
    sums = class_sums(logits, targets, weight, activation=activation)
    return sums, torch.autograd.grad(combined(sums), logits)[0]


def test_small_images_share_a_chunk_and_large_ones_are_cut():
    pass_ = Pass(torch.zeros(1, 2, 1), [], None, 'softmax', 1.0)
    small = [images for images, _ in pass_.chunks(torch.zeros(300, 3, 32 * 32))]
    assert len(small) < 10
    assert [i for each in small for i in range(300)[each]] == list(range(300))
    large = list(pass_.chunks(torch.zeros(2, 3, 300_000)))
    assert {images.stop - images.start for images, _ in large} == {1}
    covered = [i for images, part in large for i in range(300_000)[part]]
    assert covered == 2 * list(range(300_000))


@pytest.mark.parametrize('scale', [1.0, 60.0])
@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('activation', ['softmax', 'sigmoid', 'identity'])
@pytest.mark.parametrize('kind', KINDS)
def test_sums_and_gradients_are_those_of_images_alone(
    monkeypatch, kind, activation, weighted, scale
):
    together = sums_and_gradient(kind, activation, weighted, scale)
    alone(monkeypatch)
    apart = sums_and_gradient(kind, activation, weighted, scale)
    assert_same(together[0], apart[0])
    assert_close(together[1], apart[1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize('other', [1.0, 1e4, -1e4, torch.nan])
def test_an_image_has_the_same_value_to_the_last_digit_whatever_lies_beside_it(other):
    logits = torch.randn(3, 5, 8, 8, requires_grad=True)
    label = torch.randint(0, 5, (3, 8, 8))
    with torch.no_grad():
        logits[1] = other * torch.randn(5, 8, 8)

    def first(logits, label):
        (sums,) = class_sums(logits, [Target(NEEDS, label=label)])
        own = [values[0] for values in sums.sums.values()]
        names = ('probs', 'probs_squared', 'minimum', 'product', 'cross_entropy')
        total = sum(getattr(sums, name)[0].sum() for name in names)
        return own, torch.autograd.grad(total, logits)[0][0]

    calm = torch.cat([logits[:1], torch.zeros(2, 5, 8, 8)]).detach().requires_grad_()
    assert_close(first(logits, label), first(calm, label), rtol=0, atol=0)


def test_the_image_reduction_is_the_mean_over_images_called_alone():
    logits = torch.randn(9, 3, 8, 8)
    label = torch.randint(0, 3, (9, 8, 8))
    loss = JaccardMetricLoss(reduction=dict(image=1.0))
    each = [loss(logits[i : i + 1], label[i : i + 1]) for i in range(9)]
    assert_close(loss(logits, label), torch.stack(each).mean())


def test_a_batch_of_small_images_takes_as_many_steps_as_one_of_few(monkeypatch):
    """Time without a clock: how often a chunk is worked on."""
    counted = []
    original = Pass.pixels
    monkeypatch.setattr(
        Pass, 'pixels', lambda *args: counted.append(1) or original(*args)
    )
    parts = [dict(type='SoftCrossEntropyLoss'), dict(type='JaccardMetricLoss')]
    loss = CompoundLoss(losses=parts)
    for images in (1, 64):
        logits = torch.randn(images, 2, 16, 16, requires_grad=True)
        label = F.one_hot(torch.zeros(images, 16).long(), 16)
        loss(logits, label).backward()
        assert counted == [1, 1]  # forward and backward
        counted.clear()
