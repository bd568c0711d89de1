"""Arrays to figures, without a runner, a screen or pyplot's global state."""

from .sheet import paint_label, prediction_sheet

__all__ = ['paint_label', 'prediction_sheet']
