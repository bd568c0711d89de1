"""Tables and figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from .statistics import Summary


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(table(['a', 'b'], [['1', 'x|y']]))
    | a | b |
    | --- | --- |
    | 1 | x\\|y |
    """
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(
        '| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |'
        for line in lines
    )


def spread(summary: Summary | None, digits: int) -> str:
    """Mean ± standard deviation (maximum), of one run its value alone."""
    if summary is None:
        return ''
    if summary.std is None:
        return f'{summary.mean:.{digits}f}'
    return (
        f'{summary.mean:.{digits}f} ± {summary.std:.{digits}f} '
        f'({summary.max:.{digits}f})'
    )
