"""The report of `calibrate`, as Markdown and CSV."""

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
    """Print the report and save it as `report.md`, and its values as `report.csv`."""
    text = '\n'.join(
        [
            f'# Calibration of {title}\n',
            remark,
            'Both scalings minimize the NLL of '
            f'{int(fitted.pixels.sum()):,} of {fitted.labelled:,} labelled pixels, the '
            f'same number from each of {fitted.pictures} images (seed {fitted.seed}). '
            'The table measures all labelled pixels of the same images, so the results '
            'of the scalings are slightly too good. Test the written configs to get '
            'held-out results.\n',
            *_figures(fitted, measured),
            '',
            'Brackets show the 95 % interval of a value or of its change, from '
            f'{ROUNDS} bootstrap samples of the images.',
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
            'A temperature keeps the sign of a logit, so it cannot change a prediction '
            'at a threshold of 0.5. At another threshold it can.'
        )
    return (
        'A temperature cannot change the predicted class: it divides all logits of a '
        'pixel by one positive number, which keeps their order (rounding may swap '
        'exact ties). Vector scaling can change it.'
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
