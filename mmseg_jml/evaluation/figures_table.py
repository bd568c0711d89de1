"""The calibration metric's figures as small tables."""

import re
from collections.abc import Mapping

from ..markdown_table import table
from .metric_keys import PREFIX

OF_REGIONS = ('ECE', 'MCE', 'RMSCE', 'Gap', 'Conf', 'Acc', 'NLL', 'Brier')
MEASURES = (*OF_REGIONS, 'AECE', 'mECE', 'cwECE')
STEM = re.compile(rf'([BI]?)({"|".join(MEASURES)})(_.*)?')
REGION_OF = {prefix: region for region, prefix in PREFIX.items()}
CHOICES = re.compile(r'_k\d+')  # of the boundary alone: no part of a row's name


def calibration_tables(figures: Mapping[str, float]) -> str:
    """A row for each measure with a column for each region, then one for each class.

    `figures` are by the metric's keys, without a prefix. Intervals stand behind their
    values. What is no such key has a row of its own.

    >>> print(calibration_tables({'ECE': 6.41, 'BECE': 20.0, 'NLL': 0.25}))
    | measure |   all | boundary |
    | ------- | ----: | -------: |
    | ECE     | 6.410 |   20.000 |
    | NLL     | 0.250 |          |
    """
    regions: dict[str, dict[str, str]] = {}
    classes: dict[str, dict[str, str]] = {}
    for key in figures:
        if key.endswith(('_low', '_high')):
            continue
        prefix, measure, form, name = _parts(key)
        cell = _cell(figures, key)
        if name:
            classes.setdefault(name, {})[measure + form] = cell
        else:
            regions.setdefault(measure + form, {})[REGION_OF[prefix]] = cell
    found = [_table('measure', regions), _table('class', classes)]
    return '\n\n'.join(each for each in found if each)


def _parts(key: str) -> tuple[str, str, str, str]:
    """The region's prefix, the measure, its form and the class of a key."""
    stem, _, rest = key.partition('.')
    match = STEM.fullmatch(stem)
    if match is None:
        return '', key, '', ''
    prefix, measure, form = match.groups(default='')
    return prefix, measure, CHOICES.sub('', form), rest


def _cell(figures: Mapping[str, float], key: str) -> str:
    value = f'{figures[key]:.3f}'
    low, high = figures.get(f'{key}_low'), figures.get(f'{key}_high')
    return value if low is None or high is None else f'{value} [{low:.3f}, {high:.3f}]'


def _table(first: str, rows: Mapping[str, Mapping[str, str]]) -> str:
    if not rows:
        return ''
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    return table(
        [first, *columns],
        [[name, *(row.get(c, '') for c in columns)] for name, row in rows.items()],
        padded=True,
    )
