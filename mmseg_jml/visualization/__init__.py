"""Arrays to figures, without a runner, a screen or pyplot's global state."""

from .bin_tables import read_bin_tables, write_bin_tables
from .label_sheet import label_sheet
from .reliability import reliability_diagram
from .sheet import paint_label, prediction_sheet

__all__ = [
    'label_sheet',
    'paint_label',
    'prediction_sheet',
    'read_bin_tables',
    'reliability_diagram',
    'write_bin_tables',
]
