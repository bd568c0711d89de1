"""Losses for labels and teachers, registered in MMSegmentation's MODELS."""

from .base import SoftLabelLoss
from .compound import CompoundLoss
from .cross_entropy import SoftCrossEntropyLoss
from .distillation import CWDLoss, DISTLoss, KLDistillationLoss, TeacherLoss
from .jaccard import JaccardMetricLoss
from .taught import TaughtLoss

__all__ = [
    'CWDLoss',
    'CompoundLoss',
    'DISTLoss',
    'JaccardMetricLoss',
    'KLDistillationLoss',
    'SoftCrossEntropyLoss',
    'SoftLabelLoss',
    'TaughtLoss',
    'TeacherLoss',
]
