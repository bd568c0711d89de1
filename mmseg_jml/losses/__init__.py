"""Losses for labels and teachers, registered in MMSegmentation's MODELS."""

from .. import _require_mmseg as _require_mmseg
from .compound import CompoundLoss
from .cross_entropy import SoftCrossEntropyLoss
from .jaccard import JaccardMetricLoss
from .kl_divergence import KLDivergenceLoss
from .taught import TaughtLoss
from .teacher import ChannelWiseDivergenceLoss, DISTLoss, TeacherLoss

__all__ = [
    'ChannelWiseDivergenceLoss',
    'CompoundLoss',
    'DISTLoss',
    'JaccardMetricLoss',
    'KLDivergenceLoss',
    'SoftCrossEntropyLoss',
    'TaughtLoss',
    'TeacherLoss',
]
