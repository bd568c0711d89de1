"""What `calibrate` found, as Markdown and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..files import write_csv, write_whole
from ..markdown_table import table
from .scaling_fit import BEFORE, ROUNDS, Fitted, Measured

DIGITS = {'ECE': 2, 'BECE': 2, 'NLL': 4}
COLUMNS = (
    'scaling',
    'key',
    'value',
    'low',
    'high',
    'change',
    'change_low',
    'change_high',
)


def write_report(
    folder: Path,
    title: str,
    remark: str,
    fitted: Fitted,
    measured: dict[str, Measured],
    classes: Sequence[str],
) -> None:
    """Print the report; save it as `report.md`, its figures as `report.csv`."""
    text = '\n'.join(
        [
            f'# Calibration of {title}\n',
            remark,
            f'Fitted on {int(fitted.pixels.sum()):,} of {fitted.labelled:,} labelled '
            f'pixels, as many of each of {fitted.pictures} pictures (seed '
            f'{fitted.seed}), by the lowest NLL. Figures are of all labelled pixels of '
            'the same pictures, so those of the scalings are a little too good: test '
            'the written configs for held-out ones.\n',
            *_figures(fitted, measured),
            '',
            'In brackets: 95 % intervals of the value, or of its change from before, '
            f'by {ROUNDS} bootstrap draws of pictures.',
            _argmax_remark(fitted),
            '',
            *_vector(fitted, classes),
        ]
    )
    print(f'\n{text}')
    write_whole(folder / 'report.md', f'{text}\n'.encode())
    write_csv(folder / 'report.csv', [COLUMNS, *_rows(measured)])
    print(f'report: {folder / "report.md"}')


def _rows(measured: dict[str, Measured]) -> Iterator[list[Any]]:
    for name, found in measured.items():
        for figure, key in found.keys.items():
            change = [''] * 3 if name == BEFORE else found.change[figure]
            yield [name, key, *found.figures[figure], *change]
        yield [name, 'changed_pixels', found.changed, *[''] * 5]


def _figures(fitted: Fitted, measured: dict[str, Measured]) -> list[str]:
    keys = measured[BEFORE].keys
    units = {figure: '' if figure == 'NLL' else ' (%)' for figure in keys}
    rows = [
        ['', *(f'{key}{units[f]}' for f, key in keys.items()), 'prediction changed']
    ]
    titles = {BEFORE: BEFORE, 'temperature': f'temperature {fitted.temperature:.4f}'}
    for name, found in measured.items():
        values = [_cell(found.figures[f], DIGITS[f]) for f in keys]
        share = f'{found.changed:,} of {fitted.labelled:,}'
        rows.append([titles.get(name, name), *values, '' if name == BEFORE else share])
        if name != BEFORE:
            changes = [_cell(found.change[f], DIGITS[f], sign='+') for f in keys]
            percent = f'{100 * found.changed / fitted.labelled:.3f} %'
            rows.append(['– change', *changes, percent])
    return [table(rows[0], rows[1:])]


def _argmax_remark(fitted: Fitted) -> str:
    if len(fitted.vector.scale) == 1:
        return (
            'A temperature keeps the sign of a logit: no pixel crosses a threshold of '
            '0.5, but one may cross another.'
        )
    return (
        'A temperature cannot change the argmax: it divides all logits of a pixel by '
        'one positive number, which keeps their order (rounding may swap exact ties). '
        'A vector can.'
    )


def _vector(fitted: Fitted, classes: Sequence[str]) -> list[str]:
    scale, offset = (values.tolist() for values in fitted.vector)
    if len(scale) == 1:
        return [f'Vector: {scale[0]:.4f} z {offset[0]:+.4f}']
    rows = [['class', 'scale', 'offset', 'pixels']]
    for name, a, b, pixels in zip(
        classes, scale, offset, fitted.pixels.tolist(), strict=True
    ):
        rows.append([name, f'{a:.4f}', f'{b:+.4f}', f'{pixels:,}'])
    return [table(rows[0], rows[1:])]


def _cell(interval: tuple[float, float, float], digits: int, sign: str = '') -> str:
    value, low, high = (f'{number:{sign}.{digits}f}' for number in interval)
    return f'{value} [{low}, {high}]'
