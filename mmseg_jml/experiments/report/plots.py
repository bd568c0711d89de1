"""Draw the plots of a report."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from ...visualization import Band, Bar, Panel, band_panels, bar_panels, trade_off
from ..plan.plan import Cell, Sweep
from .comparison import finished
from .curves import curve_panels
from .findings import Findings, families
from .records import Column

INTERVAL = '95 % interval over images'
CURVES = ('mIoU', 'loss')
# More of them cannot be distinguished in one plot.
MOST_CLASSES = 40
MOST_CURVES = 16


def draw_plots(findings: Findings) -> dict[str, Figure]:
    """The plots that have something to show, by the name of their file."""
    figures = {name: draw(findings) for name, draw in DRAWINGS.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _measured(findings: Findings) -> list[Column]:
    """The columns that a test measures, without time and memory."""
    return [column for column in findings.columns if column.keys]


def _values(findings: Findings, cell: str, column: Column) -> list[float]:
    return [
        run.figures[column.name]
        for run in finished(findings.runs[cell])
        if column.name in run.figures
    ]


def _metrics(findings: Findings) -> Figure | None:
    panels = {}
    for column in _measured(findings):
        bars = {}
        for name, cell in findings.cells.items():
            if column.name not in cell.figures:
                continue
            interval = cell.intervals.get(column.name)
            ends = (interval.low, interval.high) if interval else (None, None)
            points = _values(findings, name, column)
            bar = Bar(cell.figures[column.name].mean, *ends, points)
            bars[findings.titles[name]] = bar
        panels[column.title] = bars
    if not panels:
        return None
    return bar_panels(panels, interval=INTERVAL, points=_one(findings))


def _one(findings: Findings) -> str:
    return f'one {findings.repeats.removesuffix("s")}'


def _differences(findings: Findings) -> Figure | None:
    panels = {}
    for column in _measured(findings):
        bars = {
            findings.titles[name]: Bar(
                *found.changes[column.name], found.of_runs.get(column.name, ())
            )
            for name, found in findings.comparisons.items()
            if column.name in found.changes
        }
        if bars:
            panels[column.title] = bars
    if not panels:
        return None
    return bar_panels(
        panels,
        interval=INTERVAL,
        points=f'runs of {_one(findings)}',
        signed=True,
        title=f'difference to {findings.baseline}',
    )


def _classes(findings: Findings) -> Figure | None:
    changes = {
        findings.titles[name]: found.classes
        for name, found in findings.comparisons.items()
        if found.classes
    }
    if not changes:
        return None
    names = list(dict.fromkeys(c for found in changes.values() for c in found))
    shown, title = names, f'IoU (%) of each class: difference to {findings.baseline}'
    if len(names) > MOST_CLASSES:
        largest = {
            c: max(abs(found[c].value) for found in changes.values() if c in found)
            for c in names
        }
        chosen = set(sorted(names, key=lambda c: -largest[c])[:MOST_CLASSES])
        shown = [c for c in names if c in chosen]
        title += f', the {MOST_CLASSES} of {len(names)} classes that change most'
    panels = {
        method: {c: Bar(*found[c]) for c in shown if c in found}
        for method, found in changes.items()
    }
    return bar_panels(
        panels, interval=INTERVAL, signed=True, same_scale=True, title=title
    )


def _curves(findings: Findings) -> Figure | None:
    logs = {
        findings.titles[name]: [run.log for run in finished(runs)]
        for name, runs in findings.runs.items()
    }
    logs = {name: of_cell for name, of_cell in logs.items() if of_cell}
    if len(logs) > MOST_CURVES:
        return None
    panels: dict[str, Panel] = {}
    for metric in CURVES:
        # Epochs in some runs and iterations in others cannot be shown in one plot.
        with contextlib.suppress(ValueError):
            panels |= curve_panels(logs, [metric])
    titles = {'mIoU': 'mIoU (%) in validation', 'loss': 'training loss'}
    if not panels:
        return None
    return band_panels({titles[metric]: panel for metric, panel in panels.items()})


def _trade_off(findings: Findings) -> Figure | None:
    columns = {column.name: column for column in findings.columns}
    if not {'mIoU', 'ECE'} <= set(columns):
        return None
    kinds = {
        findings.titles[name]: [
            (run.figures['ECE'], run.figures['mIoU'])
            for run in finished(runs)
            if {'mIoU', 'ECE'} <= set(run.figures)
        ]
        for name, runs in findings.runs.items()
    }
    kinds = {name: points for name, points in kinds.items() if points}
    if not kinds:
        return None
    return trade_off(kinds, xlabel=columns['ECE'].title, ylabel=columns['mIoU'].title)


def _sweep(findings: Findings) -> Figure | None:
    sweep = findings.plan.sweep
    if sweep is None:
        return None
    levels = [cell.name for cell in findings.plan.cells if sweep.name not in cell.swept]
    panels = {}
    for column in _measured(findings):
        bands = {
            title: _band(findings, sweep, family, column)
            for title, family in families(findings.plan).items()
        }
        bands = {title: band for title, band in bands.items() if len(band.x)}
        across = {
            findings.titles[name]: findings.cells[name].figures[column.name].mean
            for name in levels
            if column.name in findings.cells[name].figures
        }
        if bands:
            panels[column.title] = Panel(bands, sweep.name, _ticks(sweep), across)
    return band_panels(panels) if panels else None


def _ticks(sweep: Sweep) -> list[str] | None:
    """Names for values that are not numbers, such as an infinite kernel."""
    if all(isinstance(v, int | float) and math.isfinite(v) for v in sweep.values):
        return None
    return list(map(str, sweep.values))


def _band(findings: Findings, sweep: Sweep, family: list[Cell], column: Column) -> Band:
    """The results of a family at each swept value, over its finished runs."""
    values: dict[float, list[float]] = {}
    named = _ticks(sweep) is not None
    for cell in family:
        value = cell.swept[sweep.name]
        found = _values(findings, cell.name, column)
        if found:
            values[sweep.values.index(value) if named else value] = found
    x = np.array(sorted(values), float)
    rows = [values[each] for each in x.tolist()]
    means, lows, highs = (
        np.array([f(row) for row in rows], float) for f in (np.mean, min, max)
    )
    return Band(x, means, lows, highs)


DRAWINGS: dict[str, Callable[[Findings], Figure | None]] = {
    'metrics': _metrics,
    'differences': _differences,
    'classes': _classes,
    'curves': _curves,
    'trade_off': _trade_off,
    'sweep': _sweep,
}
