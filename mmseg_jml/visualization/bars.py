"""Bars with intervals and the points that they are the mean of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

BAR = {'color': '#A6CBE3', 'edgecolor': '#0072B2', 'linewidth': 0.8}
WHISKER = {'color': '#222222', 'linewidth': 1.4, 'zorder': 3}
POINT = {
    'color': '#D55E00',
    'marker': 'o',
    'markersize': 4,
    'markeredgecolor': 'white',
    'markeredgewidth': 0.5,
    'linestyle': 'none',
    'zorder': 4,
}
ROW_HEIGHT, PANEL_WIDTH = 0.34, 2.9  # inches
COLUMNS = 4
BELOW = 0.22  # rows, that points leave the whisker to be seen
ROOM = 0.28  # of a panel's range, for the number at a bar's end


class Bar(NamedTuple):
    """A value, the ends of its interval if it has one, and single runs' values."""

    value: float
    low: float | None = None
    high: float | None = None
    points: Sequence[float] = ()

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest of all that is drawn.

        >>> Bar(2.0, 1.5, 2.5, points=[1.0, 3.0]).ends
        (1.0, 3.0)
        """
        drawn = [self.value, *self.points]
        drawn += [end for end in (self.low, self.high) if end is not None]
        return min(drawn), max(drawn)


def bar_panels(
    panels: Mapping[str, Mapping[str, Bar]],
    *,
    interval: str,
    points: str = '',
    signed: bool = False,
    same_scale: bool = False,
    title: str = '',
) -> Figure:
    """One panel a measure, in each one bar a row, from zero.

    Args:
        panels: By title, the bars by the name of their row; rows are those of all
            panels together, in the order in which they come.
        interval: What the whisker is, for the legend.
        points: What the points are.
        signed: Write the sign of a value.
        same_scale: The panels are of one measure and unit.
        title: Above all panels.

    Raises:
        ValueError: There is no panel, or none has a bar.

    >>> bars = {'CE': Bar(44.2), 'JML': Bar(48.1, 46.9, 49.2, points=[47.8, 48.4])}
    >>> figure = bar_panels({'mIoU (%)': bars}, interval='95 %', points='a seed')
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['CE', 'JML']
    """
    rows = list(dict.fromkeys(row for bars in panels.values() for row in bars))
    if not rows:
        raise ValueError('`panels` must hold at least one bar, got none')
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    longest = max(map(len, rows))
    size = (
        PANEL_WIDTH * columns + 0.08 * longest,
        (ROW_HEIGHT * len(rows) + 0.9) * lines + 0.6,
    )
    figure = Figure(figsize=size, dpi=130, layout='constrained')
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    together = [bar for bars in panels.values() for bar in bars.values()]
    for axes, (name, bars) in zip(grid.flat, panels.items(), strict=False):
        _draw(axes, rows, bars, '{:+.2f}' if signed else '{:.2f}')
        axes.set_xlim(*_limits(together if same_scale else list(bars.values())))
        axes.set_title(name, fontsize=10)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    grid[0, 0].set_yticks(range(len(rows)), rows, fontsize=9)
    grid[0, 0].set_ylim(len(rows) - 0.4, -0.6)
    if title:
        figure.suptitle(title, fontsize=11)
    _explain(figure, panels, interval, points)
    return figure


def _draw(
    axes: Axes, rows: Sequence[str], bars: Mapping[str, Bar], number: str
) -> None:
    for place, row in enumerate(rows):
        if row not in bars:
            continue
        bar = bars[row]
        axes.barh(place, bar.value, 0.66, **BAR)
        if bar.low is not None:
            axes.hlines(place, bar.low, bar.high, **WHISKER)
            axes.vlines((bar.low, bar.high), place - 0.14, place + 0.14, **WHISKER)
        axes.plot(bar.points, [place + BELOW] * len(bar.points), **POINT)
        right = bar.value >= 0
        axes.annotate(
            number.format(bar.value),
            (bar.ends[1] if right else bar.ends[0], place),
            xytext=(5 if right else -5, 0),
            textcoords='offset points',
            ha='left' if right else 'right',
            va='center',
            fontsize=8,
        )
    axes.axvline(0, color='#333333', linewidth=0.8)
    axes.tick_params(labelsize=8)
    axes.grid(axis='x', color='#DDDDDD', linewidth=0.6)
    axes.set_axisbelow(True)


def _limits(bars: Sequence[Bar]) -> tuple[float, float]:
    low = min([0.0, *(bar.ends[0] for bar in bars)])
    high = max([0.0, *(bar.ends[1] for bar in bars)])
    if low == high:
        return -1, 1
    room = ROOM * (high - low)
    return low - room if low < 0 else 0, high + room if high > 0 else 0


def _explain(
    figure: Figure,
    panels: Mapping[str, Mapping[str, Bar]],
    interval: str,
    points: str,
) -> None:
    bars = [bar for panel in panels.values() for bar in panel.values()]
    handles = []
    if any(bar.low is not None for bar in bars):
        handles.append(Line2D([], [], **WHISKER, label=interval))
    if any(bar.points for bar in bars):
        handles.append(Line2D([], [], **POINT, label=points))
    if handles:
        figure.legend(
            handles=handles,
            loc='outside lower center',
            ncols=len(handles),
            frameon=False,
            fontsize=9,
        )
