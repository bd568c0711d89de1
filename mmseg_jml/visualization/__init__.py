"""Arrays to figures, without a runner, a screen or pyplot's global state."""

from .bands import Band, Panel, band_panels
from .bars import Bar, bar_panels
from .bin_tables import read_bin_tables, write_bin_tables
from .confusion import confusion_figure
from .label_sheet import label_sheet
from .reliability import reliability_diagram
from .sheet import paint_label, prediction_sheet
from .trade_off import trade_off

__all__ = [
    'Band',
    'Bar',
    'Panel',
    'band_panels',
    'bar_panels',
    'confusion_figure',
    'label_sheet',
    'paint_label',
    'prediction_sheet',
    'read_bin_tables',
    'reliability_diagram',
    'trade_off',
    'write_bin_tables',
]
