"""Format results as the cells of a table."""

from __future__ import annotations

from .statistics import Summary


def spread(summary: Summary | None, digits: int) -> str:
    """Mean ± standard deviation (maximum), or the value itself for a single run."""
    if summary is None:
        return ''
    if summary.std is None:
        return f'{summary.mean:.{digits}f}'
    return (
        f'{summary.mean:.{digits}f} ± {summary.std:.{digits}f} '
        f'({summary.max:.{digits}f})'
    )
