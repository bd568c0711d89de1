"""The section of a report that compares it with the results of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...markdown_table import table
from ..plan.paper import Figure, Table, read_table
from .cells import spread
from .findings import Findings
from .records import Column


def paper_section(findings: Findings) -> list[str]:
    """The paper's results next to ours, and how they differ; empty without a table."""
    plan = findings.plan
    if plan.paper is None:
        return []
    found = read_table(plan.paper)
    rows = {
        cell.name: cell.paper
        for cell in plan.cells
        if cell.paper is not None and cell.paper in found.rows
    }
    number = plan.paper.replace('table', 'Table ').replace('figure', 'Figure ')
    text = ['## Comparison with the paper', f'{number}: {found.title}.']
    if rows:
        text.append(_beside(findings, found, rows))
        text += _changes_beside(findings, found, rows)
    unknown = sorted({cell.paper for cell in plan.cells if cell.paper} - {*found.rows})
    if unknown:
        text.append(f'The table in the paper has no row {", ".join(unknown)}.')
    return [*text, '\n'.join(f'- {note}' for note in found.notes)]


def _beside(findings: Findings, paper: Table, rows: Mapping[str, str]) -> str:
    columns = _shared_columns(findings, paper, rows)
    lines = []
    for name, row in rows.items():
        line = [findings.titles[name]]
        for column in columns:
            ours = findings.cells[name].figures.get(column.name)
            line += [spread(ours, column.digits), _figure(paper.rows[row], column)]
        lines.append(line)
    return table(_twice(columns), lines)


def _changes_beside(
    findings: Findings, paper: Table, rows: Mapping[str, str]
) -> list[str]:
    """Differences in the paper and ours, for methods whose baseline is in both."""
    columns = _shared_columns(findings, paper, rows)
    lines = []
    for name, found in findings.comparisons.items():
        baseline = findings.baselines[name]
        if name not in rows or baseline not in rows:
            continue
        before, after = paper.rows[rows[baseline]], paper.rows[rows[name]]
        line = [findings.titles[name]]
        for column in columns:
            ours = found.changes.get(column.name)
            line.append('' if ours is None else f'{ours.value:+.2f}')
            both = column.name in after and column.name in before
            theirs = after[column.name].mean - before[column.name].mean if both else 0
            line.append(f'{theirs:+.2f}' if both else '')
        lines.append(line)
    title = f'The same results as differences to {findings.baseline}:'
    return [title, table(_twice(columns), lines)] if lines else []


def _shared_columns(
    findings: Findings, paper: Table, rows: Mapping[str, str]
) -> list[Column]:
    theirs = {name for row in rows.values() for name in paper.rows[row]}
    return [column for column in findings.columns if column.name in theirs]


def _twice(columns: Sequence[Column]) -> list[str]:
    return ['', *(title for column in columns for title in (column.title, 'paper'))]


def _figure(row: Mapping[str, Figure], column: Column) -> str:
    if column.name not in row:
        return ''
    figure = row[column.name]
    text = f'{figure.mean:.2f}'
    text += f' ± {figure.spread:.2f}' if figure.spread is not None else ''
    return text + (f' ({figure.max:.2f})' if figure.max is not None else '')
