"""Arrays to figures, without a runner, a screen or pyplot's global state."""

from .bin_tables import read_bin_tables, write_bin_tables
from .reliability import reliability_diagram
from .sheet import paint_label, prediction_sheet

__all__ = [
    'paint_label',
    'prediction_sheet',
    'read_bin_tables',
    'reliability_diagram',
    'write_bin_tables',
]
