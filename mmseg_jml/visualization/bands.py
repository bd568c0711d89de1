"""Lines over several runs: their mean, and a band from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .series import HANDLE_WIDTH, NAME_HEIGHT, colour, line, marker, name_width

PANEL_WIDTH, PANEL_HEIGHT = 4.6, 3.4  # inches
FEW = 16  # up to so many points each has a marker


class Band(NamedTuple):
    """Several runs of one kind: arrays (n,), and (x, y) of each run."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    runs: Sequence[tuple[np.ndarray, np.ndarray]] = ()


@dataclass(frozen=True)
class Panel:
    """One measure: bands by the name of their kind."""

    kinds: Mapping[str, Band]
    xlabel: str
    ticks: Sequence[str] | None = None  # names of x = 0, 1, ... that are no numbers
    levels: Mapping[str, float] = field(default_factory=dict)  # across the panel


def band_panels(panels: Mapping[str, Panel]) -> Figure:
    """One panel a measure: of each kind of runs the mean, and a band over its runs.

    The runs themselves are faint.

    Raises:
        ValueError: There is no panel, or one without a band.

    >>> x, low, high = np.array([1, 2]), np.array([0.0, 2.0]), np.array([1.0, 4.0])
    >>> bands = {'CE': Band(x, (low + high) / 2, low, high)}
    >>> figure = band_panels({'loss': Panel(bands, 'iteration')})
    >>> figure.axes[0].get_title(), figure.axes[0].get_xlabel()
    ('loss', 'iteration')
    """
    if not panels or not all(panel.kinds for panel in panels.values()):
        raise ValueError('`panels` must hold at least one, each with a band')
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    names = list(
        dict.fromkeys(name for p in panels.values() for name in (*p.kinds, *p.levels))
    )
    width = PANEL_WIDTH * columns
    across = min(len(names), max(1, int(width / (HANDLE_WIDTH + name_width(names)))))
    height = PANEL_HEIGHT * rows + NAME_HEIGHT * -(-len(names) // across)
    figure = Figure(figsize=(width, height), dpi=130, layout='constrained')
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (name, panel) in zip(grid.flat, panels.items(), strict=False):
        _draw(axes, panel, names)
        axes.set_title(name, fontsize=10)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    handles: dict[str, Artist] = {}
    for axes in grid.flat:
        found = zip(*axes.get_legend_handles_labels(), strict=True)
        handles = {label: handle for handle, label in found} | handles
    figure.legend(
        handles=[handles[name] for name in names],
        loc='outside lower center',
        ncols=across,
        frameon=False,
        fontsize=9,
    )
    return figure


def _draw(axes: Axes, panel: Panel, names: Sequence[str]) -> None:
    for name, band in panel.kinds.items():
        index = names.index(name)
        style = {'color': colour(index), 'linestyle': line(index)}
        axes.fill_between(
            band.x, band.low, band.high, color=colour(index), alpha=0.18, linewidth=0
        )
        for run in band.runs:
            axes.plot(*run, **style, alpha=0.3, linewidth=0.6)
        few = len(band.x) <= FEW
        points = {'marker': marker(index), 'markersize': 4} if few else {}
        axes.plot(band.x, band.mean, **style, **points, linewidth=1.6, label=name)
    for name, value in panel.levels.items():
        style = {'color': colour(names.index(name)), 'linestyle': '--'}
        axes.axhline(value, **style, linewidth=1.2, label=name)
    if panel.ticks is not None:
        axes.set_xticks(range(len(panel.ticks)), panel.ticks)
    axes.set_xlabel(panel.xlabel, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color='#DDDDDD', linewidth=0.6)
