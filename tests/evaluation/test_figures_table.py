"""The calibration figures as tables."""

import pytest

from mmseg_jml.evaluation import CalibrationMetric
from mmseg_jml.evaluation.figures_table import calibration_tables
from tests.evaluation.cases import evaluate, samples

OPTIONS = {
    'default': {},
    'other bins': {'num_bins': 15, 'closed': 'right', 'kernel_size': 5},
    'all': {
        'image_level': True,
        'class_wise': True,
        'per_class': True,
        'adaptive': True,
        'bootstrap': 20,
    },
}


def figures(options):
    found = evaluate(CalibrationMetric(**options), [samples()])
    return {key.removeprefix('calib/'): value for key, value in found.items()}


def cells(text):
    lines = [line for line in text.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]


@pytest.mark.parametrize('options', OPTIONS.values(), ids=OPTIONS)
def test_every_figure_stands_in_the_table_once(options):
    found = figures(options)
    shown = ' '.join(' '.join(row) for row in cells(calibration_tables(found)))
    numbers = shown.replace('[', ' ').replace(']', ' ').replace(',', ' ').split()
    values = [f'{value:.3f}' for value in found.values()]
    for value in set(values):
        assert numbers.count(value) == values.count(value)


def test_a_row_is_a_measure_and_a_column_a_region():
    found = figures({})
    head, _, *rows = cells(calibration_tables(found))
    assert head == ['measure', 'all', 'boundary', 'interior']
    assert len(rows) == 8
    for measure, *values in rows:
        keys = (measure, f'B{measure}', f'I{measure}')
        assert values == [f'{found[key]:.3f}' for key in keys]


def test_classes_have_a_table_of_their_own():
    found = figures({'per_class': True})
    rows = {row[0]: row[1] for row in cells(calibration_tables(found))}
    assert rows['car'] == f'{found["ECE.car"]:.3f}'


def test_no_figures_make_no_table():
    assert calibration_tables({}) == ''
