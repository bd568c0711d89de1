"""The results of the paper, for comparison with measured ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from .schema import require_one_of

FILE = Path(__file__).with_name('paper.yml')
FIGURE = re.compile(r'(?P<mean>[\d.]+)(±(?P<spread>[\d.]+))?( \((?P<max>[\d.]+)\))?')


class Figure(NamedTuple):
    """A result of the paper, in per cent."""

    mean: float
    spread: float | None = None  # standard deviation, divided by n and not by n - 1
    max: float | None = None


class Table(NamedTuple):
    """One table: results by row and column, and notes on how they differ from ours."""

    title: str
    runs: int
    notes: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Figure]]


def read_table(name: str) -> Table:
    """Read a table of the paper: 'table1' to 'table9', 'figure5' or 'figure6'.

    >>> read_table('table2').rows['M2/JML']['mIoU']
    Figure(mean=74.42, spread=0.52, max=None)

    Raises:
        ValueError: there is no such table.
    """
    paper = yaml.safe_load(FILE.read_text(encoding='utf-8'))
    tables = paper['tables']
    require_one_of(name, tables, 'paper')
    table = tables[name]
    rows = {
        row: dict(zip(table['columns'], map(_figure, cells), strict=True))
        for row, cells in table['rows'].items()
    }
    notes = (*table.get('notes', ()), *paper['notes'])
    return Table(table['title'], table['runs'], notes, rows)


def _figure(cell: str | float) -> Figure:
    found = FIGURE.fullmatch(str(cell))
    if found is None:
        raise ValueError(f'a result must be mean±spread (maximum), got {cell!r}')
    mean, *others = (found[name] for name in Figure._fields)
    return Figure(
        float(mean), *(None if part is None else float(part) for part in others)
    )
