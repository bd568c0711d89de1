"""Hooks: what a runner does beside training and testing."""

from .. import _require_mmseg as _require_mmseg
from .calibration import CalibrationHook
from .label_maps import LabelMapHook
from .log_processor import ShortLogProcessor
from .painting import PaintingHook
from .pseudo_labels import PseudoLabelHook

__all__ = [
    'CalibrationHook',
    'LabelMapHook',
    'PaintingHook',
    'PseudoLabelHook',
    'ShortLogProcessor',
]
