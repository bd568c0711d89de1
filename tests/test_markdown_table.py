"""Tables as Markdown, whatever their cells hold."""

import re

import numpy as np
import pytest

from mmseg_jml.cli import check_data, make_splits
from mmseg_jml.datasets.report import SplitReport
from mmseg_jml.datasets.splits import Counted
from mmseg_jml.markdown_table import table

CLASSES = ('road|street', 'car\nor van')


def columns(text):
    """The number of cells in each row of the tables in a text."""
    rows = [line for line in text.splitlines() if line.startswith('|')]
    return [len(re.split(r'(?<!\\)\|', row)) - 2 for row in rows]


@pytest.mark.parametrize('padded', [False, True])
def test_no_cell_ends_its_column_or_row(padded):
    text = table(['a', 'b'], [CLASSES, ('c', 'd')], padded=padded)
    assert columns(text) == [2] * 4


def test_padded_rows_are_equally_long():
    lines = table(['class', '%'], [('road|street', '1'), ('a', '20')], padded=True)
    assert len({len(line) for line in lines.splitlines()}) == 1


def test_class_names_leave_the_report_of_make_splits_whole():
    counted = Counted(['a', 'b'], np.ones((2, 2), dtype=np.int64), CLASSES)
    text = make_splits._table(counted, {'all': [0, 1], '1/2': [0]}, 'labelled')
    assert columns(text) == [3] * 5


def test_class_names_leave_the_report_of_check_dataset_whole(monkeypatch):
    rows = [(name, 5, 0.5, 1) for name in CLASSES]
    monkeypatch.setattr(SplitReport, 'histogram', lambda self: rows)
    report = SplitReport('train', classes=CLASSES)
    assert columns(check_data._text(report)) == [4] * 4
