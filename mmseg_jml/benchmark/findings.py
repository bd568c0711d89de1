"""All that a report tells of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .comparison import (
    CellSummary,
    Comparison,
    compare,
    read_counts,
    summarize_cell,
)
from .plan import Plan
from .records import COLUMNS, Column, Run, read_runs


@dataclass(frozen=True)
class Findings:
    """The runs of a plan, summed up and compared; mappings are by cell."""

    plan: Plan
    work_dir: Path
    runs: Mapping[str, list[Run]]
    cells: Mapping[str, CellSummary]
    comparisons: Mapping[str, Comparison]  # without the baseline's

    @property
    def titles(self) -> dict[str, str]:
        """What each cell is called: its title, or where two share one its name."""
        titles = {cell.name: cell.title for cell in self.plan.cells}
        return (
            titles
            if len(set(titles.values())) == len(titles)
            else {k: k for k in titles}
        )

    @property
    def columns(self) -> list[Column]:
        """The figures that any cell has."""
        return [
            column
            for column in COLUMNS
            if any(column.name in cell.figures for cell in self.cells.values())
        ]

    @property
    def repeats(self) -> str:
        """What a method was repeated over."""
        return 'folds' if self.plan.folds else 'seeds'


def gather(plan: Plan, work_dir: Path) -> Findings:
    """Read the runs below a folder, sum them up and compare them."""
    runs = read_runs(plan, work_dir)
    counts = read_counts([run for of_cell in runs.values() for run in of_cell])
    cells = {name: summarize_cell(of_cell, counts) for name, of_cell in runs.items()}
    comparisons = {}
    if plan.baseline is not None:
        comparisons = {
            name: compare(of_cell, runs[plan.baseline], counts)
            for name, of_cell in runs.items()
            if name != plan.baseline
        }
    return Findings(plan, work_dir, runs, cells, comparisons)
