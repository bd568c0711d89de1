"""Metrics for MMSegmentation's evaluators, and a TTA model that they can read."""

from .. import _require_mmseg as _require_mmseg
from .calibration import CalibrationMetric
from .confusion import ConfusionMatrixMetric
from .fine_grained_iou import FineGrainedIoUMetric
from .semi import SemiEvaluator
from .tta import MergedSegTTAModel

__all__ = [
    'CalibrationMetric',
    'ConfusionMatrixMetric',
    'FineGrainedIoUMetric',
    'MergedSegTTAModel',
    'SemiEvaluator',
]
