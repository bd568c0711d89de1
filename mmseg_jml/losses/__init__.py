"""Losses for hard and soft labels, registered in MMSegmentation's MODELS."""

from .. import _require_mmseg as _require_mmseg
from .compound import CompoundLoss
from .cross_entropy import SoftCrossEntropyLoss
from .distillation import CWDLoss, DISTLoss, KLDistillationLoss
from .jaccard import JaccardMetricLoss

__all__ = [
    'CWDLoss',
    'CompoundLoss',
    'DISTLoss',
    'JaccardMetricLoss',
    'KLDistillationLoss',
    'SoftCrossEntropyLoss',
]
