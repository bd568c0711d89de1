"""What the hook tells of pseudo-labels; runs of it are in tests/segmentors."""

from types import SimpleNamespace

import pytest

from mmseg_jml.hooks import PseudoLabelHook
from tests.segmentors.distilled import build, plain_config


def test_a_model_without_pseudo_labels_is_told_before_training():
    runner = SimpleNamespace(model=build(plain_config()))
    with pytest.raises(ValueError, match=r'SemiEncoderDecoder .* of type EncoderDecod'):
        PseudoLabelHook().before_train(runner)


def test_an_interval_below_one_is_refused():
    with pytest.raises(ValueError, match=r'`interval` must be .* >= 1, got 0'):
        PseudoLabelHook(interval=0)
