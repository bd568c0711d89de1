"""Segmentors: what changes around the head, in training or in testing."""

from .. import _require_mmseg as _require_mmseg
from .calibrated import CalibratedEncoderDecoder
from .distillation import (
    DistillationCascadeEncoderDecoder,
    DistillationEncoderDecoder,
)
from .semi import SemiEncoderDecoder

__all__ = [
    'CalibratedEncoderDecoder',
    'DistillationCascadeEncoderDecoder',
    'DistillationEncoderDecoder',
    'SemiEncoderDecoder',
]
