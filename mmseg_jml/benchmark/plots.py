"""The pictures of a report."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from ..visualization.bands import Band, Panel, band_panels
from ..visualization.bars import Bar, bar_panels
from ..visualization.trade_off import trade_off
from .comparison import finished
from .curves import curve_panels
from .findings import Findings
from .plan import Cell, Sweep
from .records import Column

INTERVAL = '95 % interval over pictures'
CURVES = ('mIoU', 'loss')
MOST_CLASSES = 40  # in a picture


def draw_plots(findings: Findings) -> dict[str, Figure]:
    """The pictures that there is something to show in, by the name of their file."""
    figures = {name: draw(findings) for name, draw in DRAWINGS.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _measured(findings: Findings) -> list[Column]:
    """What a test measures: costs are no results."""
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
        title=f'difference to {_baseline(findings)}',
    )


def _baseline(findings: Findings) -> str:
    return findings.titles[findings.plan.baseline or '']


def _classes(findings: Findings) -> Figure | None:
    changes = {
        findings.titles[name]: found.classes
        for name, found in findings.comparisons.items()
        if found.classes
    }
    if not changes:
        return None
    names = list(dict.fromkeys(c for found in changes.values() for c in found))
    shown, title = names, f'IoU (%) of each class: difference to {_baseline(findings)}'
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
    panels = curve_panels(logs, CURVES)
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
    families: dict[str, list[Cell]] = {}
    for cell in findings.plan.cells:
        if sweep.name in cell.swept:
            families.setdefault(_family(cell, sweep), []).append(cell)
    panels = {}
    for column in _measured(findings):
        bands = {
            family: _band(findings, sweep, cells, column)
            for family, cells in families.items()
        }
        bands = {family: band for family, band in bands.items() if len(band.x)}
        levels = {
            findings.titles[cell.name]: findings.cells[cell.name]
            .figures[column.name]
            .mean
            for cell in findings.plan.cells
            if sweep.name not in cell.swept
            and column.name in findings.cells[cell.name].figures
        }
        if bands:
            panels[column.title] = Panel(bands, sweep.name, _ticks(sweep), levels)
    return band_panels(panels) if panels else None


def _family(cell: Cell, sweep: Sweep) -> str:
    """What is common to the cells that differ in the swept value alone."""
    return cell.title.removesuffix(f', {sweep.name} {cell.swept[sweep.name]}')


def _ticks(sweep: Sweep) -> list[str] | None:
    """Names for values that are no numbers, as an infinite kernel."""
    if all(isinstance(v, int | float) and math.isfinite(v) for v in sweep.values):
        return None
    return list(map(str, sweep.values))


def _band(findings: Findings, sweep: Sweep, cells: list[Cell], column: Column) -> Band:
    """A family's values over the swept one, each over the runs that are finished."""
    values: dict[float, list[float]] = {}
    named = _ticks(sweep) is not None
    for cell in cells:
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
