"""Reliability diagrams: is a model right as often as it says?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..functional.calibration import BinTable, expected_calibration_error

ACCURACY = {'facecolor': '#88B0D3', 'edgecolor': '#2F5D8A', 'linewidth': 0.8}
OVER = {'facecolor': '#F4A38C', 'edgecolor': '#B03A2E', 'hatch': '////'}
UNDER = {'facecolor': '#F0DC82', 'edgecolor': '#7D6608', 'hatch': '....'}
LEVEL = {'color': '#1B3A5C', 'linewidth': 2}  # at the accuracy, over either gap
PERFECT = {'color': '#333333', 'linestyle': '--', 'linewidth': 1}
LEAST_SHARE = 0.01  # per cent, where the histogram's logarithmic axis begins
PANEL_WIDTH, PANEL_HEIGHT = 2.7, 3.6  # inches
HUNDRED = (0, 25, 50, 75, 100)


def reliability_diagram(
    tables: Mapping[str, BinTable], *, columns: int = 4, title: str = ''
) -> Figure:
    """One panel a table: accuracy over confidence, the gap, and the share of pixels.

    In each bin a bar rises to the accuracy, and a hatched one spans the gap between
    accuracy and mean confidence; the mean of the gaps, weighted by the bins' shares
    below, is the ECE of the panel's title.

    Args:
        tables: Bins of equal width over [0, 1], by the name of the pixels they hold.
        columns: Panels in a row, at least 1.
        title: Above all panels.

    Returns:
        A figure to be saved with `figure.savefig(path)`.

    Raises:
        ValueError: There is no table, or no column.

    >>> import torch
    >>> count, correct = torch.tensor([0, 4]), torch.tensor([0, 3])
    >>> table = BinTable(count, torch.tensor([0.0, 3.5]).double(), correct)
    >>> reliability_diagram({'all pixels': table}).axes[0].get_title()
    'all pixels\\nECE 12.50 %, 4 pixels'
    """
    if not tables:
        raise ValueError('`tables` must hold at least one table, got none')
    if columns < 1:
        raise ValueError(f'`columns` must be at least 1, got {columns!r}')
    columns = min(columns, len(tables))
    rows = math.ceil(len(tables) / columns)
    size = (PANEL_WIDTH * columns + 0.5, PANEL_HEIGHT * rows + 0.8)
    figure = Figure(figsize=size, dpi=130, layout='constrained')
    cells = figure.add_gridspec(rows, columns)
    for index, (name, table) in enumerate(tables.items()):
        cell = cells[divmod(index, columns)]
        parts = cell.subgridspec(2, 1, height_ratios=(3, 1))
        upper = figure.add_subplot(parts[0])
        lower = figure.add_subplot(parts[1], sharex=upper)
        _draw(upper, lower, table)
        upper.set_title(f'{name}\n{_summary(table)}', fontsize=10)
        if index % columns == 0:
            upper.set_ylabel('accuracy (%)', fontsize=9)
            lower.set_ylabel('pixels (%)', fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    _explain(figure, columns)
    return figure


def _summary(table: BinTable) -> str:
    error = expected_calibration_error(table)
    if error is None:
        return 'no pixels'
    return f'ECE {100 * error:.2f} %, {int(table.count.sum()):,} pixels'


def _draw(upper: Axes, lower: Axes, table: BinTable) -> None:
    """Fill a panel: bars over the bins that hold pixels, in per cent."""
    count = np.asarray(table.count, float)
    full = count > 0
    edges = np.linspace(0, 100, len(count) + 1)
    left, width = edges[:-1][full], 100 / len(count)
    accuracy = 100 * np.asarray(table.correct, float)[full] / count[full]
    confidence = 100 * np.asarray(table.confidence, float)[full] / count[full]
    upper.bar(left, accuracy, width, align='edge', **ACCURACY)
    for style, chosen in (
        (OVER, confidence > accuracy),
        (UNDER, confidence < accuracy),
    ):
        low = np.minimum(accuracy, confidence)[chosen]
        gap = np.abs(accuracy - confidence)[chosen]
        upper.bar(
            left[chosen], gap, width, bottom=low, align='edge', linewidth=0.8, **style
        )
    upper.hlines(accuracy, left, left + width, **LEVEL)
    upper.plot((0, 100), (0, 100), **PERFECT)
    lower.bar(left, 100 * count[full] / count.sum(), width, align='edge', **ACCURACY)
    lower.set_yscale('log')
    lower.set_ylim(LEAST_SHARE, 100)
    lower.set_yticks((0.1, 1, 10, 100), ('0.1', '1', '10', '100'))
    lower.minorticks_off()
    upper.set(xlim=(0, 100), ylim=(0, 100), xticks=HUNDRED, yticks=HUNDRED)
    upper.tick_params(labelbottom=False, labelsize=8)
    lower.tick_params(labelsize=8)
    lower.set_xlabel('confidence (%)', fontsize=9)


def _explain(figure: Figure, columns: int) -> None:
    """Add what the bars mean."""
    handles = [
        Line2D([], [], **LEVEL, label='accuracy'),
        Patch(**OVER, label='gap: too confident'),
        Patch(**UNDER, label='gap: not confident enough'),
        Line2D([], [], **PERFECT, label='perfect calibration'),
    ]
    figure.legend(
        handles=handles,
        loc='outside lower center',
        ncols=columns if columns < 3 else len(handles),
        frameon=False,
        fontsize=9,
    )
