"""Arrays to figures, without a runner, a screen or pyplot's global state."""

from .label_sheet import label_sheet
from .sheet import paint_label, prediction_sheet

__all__ = ['label_sheet', 'paint_label', 'prediction_sheet']
