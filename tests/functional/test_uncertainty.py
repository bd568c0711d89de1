"""Probabilities, confidence and entropy of each pixel."""

import math

import pytest
import torch
from torch.testing import assert_close

from mmseg_jml.functional.uncertainty import class_probs, confidence_map, entropy_map
from tests.reference import uncertainty as reference


def logits(classes=4):
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(classes, 5, 6, generator=generator)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.float64])
def test_probabilities_of_logits_are_their_softmax(dtype):
    scores = logits().to(dtype)
    assert_close(
        class_probs(scores).double(), scores.double().softmax(0), atol=1e-6, rtol=0
    )


def test_one_channel_is_already_the_foregrounds_probability():
    foreground = logits(1).sigmoid()
    assert torch.equal(class_probs(foreground), torch.cat([1 - foreground, foreground]))


def test_confidence_in_the_most_probable_class_is_the_largest_probability():
    probs = class_probs(logits())
    assert torch.equal(confidence_map(probs, probs.argmax(0)), probs.amax(0))


def test_confidence_is_the_predicted_classs_whatever_the_threshold():
    probs = class_probs(torch.tensor([[[0.4]]]))
    assert confidence_map(probs, torch.tensor([[1]])).item() == pytest.approx(0.4)


def test_entropy_is_the_references():
    probs = class_probs(logits().double())
    expected = [reference.entropy(pixel) for pixel in probs.flatten(1).T.tolist()]
    assert_close(entropy_map(probs).flatten(), torch.tensor(expected).double())


def test_certainty_has_no_entropy_and_ignorance_the_most():
    certain = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    assert entropy_map(certain).item() == 0
    uniform = torch.full((3, 1, 1), 1 / 3)
    assert entropy_map(uniform).item() == pytest.approx(math.log(3))
