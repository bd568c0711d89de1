"""Temperature and vector scaling."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from torch.testing import assert_close

from mmseg_jml.functional.scaling import (
    Scaling,
    fit_temperature,
    fit_vector_scaling,
    scale_logits,
)
from tests.functional.cases import laws, seeds
from tests.reference import scaling as reference

PIXELS, CLASSES = 300, 4


def case(seed, pixels=PIXELS, classes=CLASSES, temperature=2.0):
    """Logits, and labels drawn as often as logits / temperature say."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(pixels, classes, generator=generator)
    probs = (logits.double() / temperature).softmax(1)
    return logits, torch.multinomial(probs, 1, generator=generator)[:, 0]


def nll(logits, label):
    return F.cross_entropy(logits.double(), label).item()


@pytest.mark.parametrize('seed', range(3))
def test_the_temperature_is_the_references(seed):
    logits, label = case(seed)
    expected = reference.temperature(logits.double().numpy(), label.numpy())
    assert fit_temperature(logits, label) == pytest.approx(expected, rel=1e-6)


def test_the_vector_is_the_references():
    logits, label = case(0, pixels=120, classes=3)
    fitted = fit_vector_scaling(logits, label)
    expected = reference.vector(logits.double().numpy(), label.numpy())
    np.testing.assert_allclose(fitted.scale, expected[0], rtol=1e-4)
    np.testing.assert_allclose(fitted.offset, expected[1], atol=1e-4)


def test_the_temperature_that_labels_were_drawn_with_is_found():
    logits, label = case(0, pixels=100_000, temperature=1.7)
    assert fit_temperature(logits, label) == pytest.approx(1.7, rel=0.01)


def test_the_vector_that_labels_were_drawn_with_is_found():
    logits, _ = case(0, pixels=100_000)
    scale = torch.tensor([0.5, 0.8, 1.0, 1.5])
    offset = torch.tensor([0.4, -0.6, 0.5, -0.3])
    label = torch.multinomial((logits * scale + offset).softmax(1), 1)[:, 0]
    fitted = fit_vector_scaling(logits, label)
    assert_close(fitted.scale, scale.double(), atol=0.03, rtol=0)
    assert_close(fitted.offset, offset.double(), atol=0.06, rtol=0)


@laws
@given(seeds)
def test_no_other_temperature_has_a_lower_nll(seed):
    logits, label = case(seed)
    best = fit_temperature(logits, label)
    lowest = nll(logits / best, label)
    assert all(nll(logits / (best * f), label) > lowest for f in (0.8, 0.99, 1.01, 1.2))


@laws
@given(seeds)
def test_scaling_logits_scales_the_temperature_alone(seed):
    logits, label = case(seed)
    expected = 5 * fit_temperature(logits, label)
    assert fit_temperature(5 * logits, label) == pytest.approx(expected, rel=1e-5)


@laws
@given(seeds)
def test_a_vector_is_never_worse_than_the_temperature(seed):
    logits, label = case(seed)
    by_temperature = nll(logits / fit_temperature(logits, label), label)
    assert (
        nll(scale_logits(logits, fit_vector_scaling(logits, label)), label)
        <= by_temperature
    )


@laws
@given(seeds)
def test_permuted_classes_have_the_permuted_vector(seed):
    logits, label = case(seed)
    order = torch.randperm(CLASSES, generator=torch.Generator().manual_seed(seed))
    fitted = fit_vector_scaling(logits, label)
    permuted = fit_vector_scaling(logits[:, order], order.argsort()[label])
    assert_close(permuted.scale, fitted.scale[order], rtol=1e-4, atol=1e-4)
    assert_close(permuted.offset, fitted.offset[order], rtol=1e-4, atol=1e-4)


def test_one_channel_has_the_temperature_of_two_logits():
    logits, label = case(0, classes=2)
    difference = logits[:, 1:] - logits[:, :1]
    expected = fit_temperature(logits, label)
    assert fit_temperature(difference, label) == pytest.approx(expected, rel=1e-6)


def test_one_channels_vector_is_platt_scaling():
    logits, label = case(0, classes=1)
    label = torch.multinomial(torch.tensor([0.3, 0.7]), PIXELS, replacement=True)
    logits = logits + 2.0 * label[:, None]
    scaled = scale_logits(logits, fit_vector_scaling(logits, label))[:, 0].double()
    residual = scaled.sigmoid() - label
    # What a logistic regression on z has at its minimum.
    assert residual.mean().item() == pytest.approx(0, abs=1e-6)
    assert (residual * logits[:, 0]).mean().item() == pytest.approx(0, abs=1e-6)


def test_a_class_without_pixels_keeps_the_temperatures_scale_and_no_offset():
    logits, label = case(0, classes=5)
    kept = label != 2
    fitted = fit_vector_scaling(logits[kept], label[kept])
    inverse = 1 / fit_temperature(logits[kept], label[kept])
    assert fitted.scale[2].item() == pytest.approx(inverse)
    assert fitted.offset[2].item() == 0
    assert fitted.offset.sum().item() == pytest.approx(0, abs=1e-9)


def test_chunks_change_nothing(monkeypatch):
    logits, label = case(0)
    whole = fit_vector_scaling(logits, label)
    monkeypatch.setattr('mmseg_jml.functional.scaling.PIXELS_AT_ONCE', 7)
    assert_close(
        fit_vector_scaling(logits, label).scale, whole.scale, rtol=1e-9, atol=0
    )


def test_saturated_logits_have_a_temperature_too():
    logits, label = case(0)
    assert fit_temperature(1e6 * logits, label) == pytest.approx(
        1e6 * fit_temperature(logits, label), rel=1e-5
    )


def test_scaling_commutes_with_resizing_and_averaging():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 1, 3, 5, 7, generator=generator, dtype=torch.float64)
    scaling = Scaling(torch.tensor([0.5, 2.0, 1.0]), torch.tensor([1.0, 0.0, -3.0]))

    def whole(logits):
        return F.interpolate(logits, (11, 13), mode='bilinear', align_corners=False)

    after = scale_logits(whole((one + other) / 2), scaling)
    before = whole((scale_logits(one, scaling) + scale_logits(other, scaling)) / 2)
    assert_close(after, before)


def test_scaled_logits_keep_their_type():
    scaling = Scaling(torch.tensor([0.5]).double(), torch.zeros(1).double())
    assert scale_logits(torch.ones(1, 2, 3).half(), scaling).dtype == torch.float16


@pytest.mark.parametrize(
    ('logits', 'label', 'words'),
    [
        (torch.zeros(3, 2, 1), torch.zeros(3), r'got \(3, 2, 1\) and \(3,\)'),
        (torch.zeros(3, 2), torch.zeros(4), r'got \(3, 2\) and \(4,\)'),
        (torch.zeros(0, 2), torch.zeros(0), 'at least one pixel'),
        (torch.zeros(2, 2), torch.tensor([0, 255]), r'\[0, 2\), got 0 to 255'),
        (torch.full((1, 2), math.nan), torch.tensor([0]), 'must be finite'),
        (torch.eye(2), torch.tensor([0, 1]), 'every one is right'),
        (torch.eye(2), torch.tensor([1, 0]), 'the logits tell nothing'),
        (torch.zeros(2, 2), torch.tensor([1, 0]), 'the logits tell nothing'),
    ],
)
def test_pixels_that_have_no_temperature_are_refused(logits, label, words):
    with pytest.raises(ValueError, match=words):
        fit_temperature(logits, label)
