"""Gather everything that the report of a plan needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..plan.plan import Cell, Plan
from .comparison import (
    CellSummary,
    Comparison,
    compare,
    read_counts,
    summarize_cell,
)
from .records import COLUMNS, Column, Outcome, read_runs


@dataclass(frozen=True)
class Findings:
    """The runs of a plan with summaries and comparisons; mappings are by cell."""

    plan: Plan
    work_dir: Path
    runs: Mapping[str, list[Outcome]]
    cells: Mapping[str, CellSummary]
    baselines: Mapping[str, str]  # that which a cell is compared with
    comparisons: Mapping[str, Comparison]  # of those that have a baseline

    @property
    def titles(self) -> dict[str, str]:
        """The title of each cell."""
        return {cell.name: cell.title for cell in self.plan.cells}

    @property
    def baseline(self) -> str:
        """The title of the baseline, or 'the baseline' if there are several."""
        names = set(self.baselines.values())
        return self.titles[names.pop()] if len(names) == 1 else 'the baseline'

    @property
    def columns(self) -> list[Column]:
        """The columns of results that any cell has."""
        return [
            column
            for column in COLUMNS
            if any(column.name in cell.figures for cell in self.cells.values())
        ]

    @property
    def repeats(self) -> str:
        """What each training was repeated over: seeds, folds or both."""
        several = any(len(self.plan.seeds_of(cell)) > 1 for cell in self.plan.cells)
        if self.plan.folds:
            return 'folds and seeds' if several else 'folds'
        return 'seeds'


def gather(plan: Plan, work_dir: Path) -> Findings:
    """Read the runs in a folder, summarize them and compare them."""
    runs = read_runs(plan, work_dir)
    counts = read_counts([run for of_cell in runs.values() for run in of_cell])
    cells = {name: summarize_cell(of_cell, counts) for name, of_cell in runs.items()}
    baselines = baselines_of(plan)
    comparisons = {
        name: compare(runs[name], runs[baseline], counts)
        for name, baseline in baselines.items()
    }
    return Findings(plan, work_dir, runs, cells, baselines, comparisons)


def baselines_of(plan: Plan) -> dict[str, str]:
    """The baseline of each cell: its own, that of its model, or that of the plan.

    A table of the paper may have several models. If the baseline's row is `M2/CE`, the
    cell with the row `M0/JML` is compared with that of `M0/CE`, if there is one.
    """
    by_row = {cell.paper: cell.name for cell in plan.cells if cell.paper is not None}
    rows = {name: row for row, name in by_row.items()}
    _, _, method = rows.get(plan.baseline or '', '').rpartition('/')
    found = {}
    for cell in plan.cells:
        model, slash, _ = rows.get(cell.name, '').rpartition('/')
        of_model = by_row.get(f'{model}{slash}{method}', plan.baseline)
        baseline = cell.baseline or (plan.baseline and of_model)
        if baseline not in (None, cell.name):
            found[cell.name] = baseline
    return found


def families(plan: Plan) -> dict[str, list[Cell]]:
    """The cells that differ only in the swept value, by the rest of their names."""
    found: dict[str, list[Cell]] = {}
    for cell in plan.cells:
        if plan.sweep is not None and plan.sweep.name in cell.swept:
            value = f', {plan.sweep.name} {cell.swept[plan.sweep.name]}'
            found.setdefault(cell.title.removesuffix(value), []).append(cell)
    return found
