"""Segmentors: what changes around the head, in training or in testing."""

from .. import _require_mmseg as _require_mmseg
from .calibrated import CalibratedEncoderDecoder
from .distillation import (
    DistillationCascadeEncoderDecoder,
    DistillationEncoderDecoder,
)

__all__ = [
    'CalibratedEncoderDecoder',
    'DistillationCascadeEncoderDecoder',
    'DistillationEncoderDecoder',
]
