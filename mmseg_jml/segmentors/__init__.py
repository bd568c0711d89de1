"""Segmentors that learn from more than the labels, in MMSegmentation's MODELS."""

from .. import _require_mmseg as _require_mmseg
from .distillation import (
    DistillationCascadeEncoderDecoder,
    DistillationEncoderDecoder,
)

__all__ = ['DistillationCascadeEncoderDecoder', 'DistillationEncoderDecoder']
