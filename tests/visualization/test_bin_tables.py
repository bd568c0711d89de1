import csv

import pytest
import torch

from mmseg_jml.functional.calibration import BinTable
from mmseg_jml.visualization import read_bin_tables, write_bin_tables

ROWS = torch.tensor([[0, 3, 2**40], [0, 2, 2**39]])
TABLE = BinTable(ROWS[0], torch.tensor([0.0, 0.1 + 0.2, 2**40 / 3]).double(), ROWS[1])


def test_what_was_written_is_read_exactly(tmp_path):
    tables = {'all': TABLE, 'traffic light, "red"': TABLE}
    write_bin_tables(tmp_path / 'a.csv', tables)
    read = read_bin_tables(tmp_path / 'a.csv')
    assert list(read) == list(tables)
    for part, expected in zip(read['all'], TABLE, strict=True):
        assert part.dtype == expected.dtype
        assert torch.equal(part, expected)


def test_a_row_says_where_its_bin_lies_and_how_far_it_is_off(tmp_path):
    write_bin_tables(tmp_path / 'a.csv', {'all': TABLE})
    with (tmp_path / 'a.csv').open(newline='') as file:
        empty, row, _ = csv.DictReader(file)
    low, high, gap = (float(row[column]) for column in ('low', 'high', 'gap'))
    assert (low, high) == (1 / 3, 2 / 3)
    assert gap == pytest.approx((0.3 - 2) / 3)
    assert empty['accuracy'] == empty['confidence'] == empty['gap'] == ''


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda text: '', 'must have the columns pixels,'),
        (lambda text: text.replace('count', 'n'), 'must have the columns pixels,'),
        (lambda text: text.replace(',3,2,', ',three,2,'), 'a.csv, line 3: .*three'),
        (lambda text: text[: text.index(',3,2,')], 'a.csv, line 3: '),
    ],
)
def test_another_file_is_refused_by_name_and_line(tmp_path, change, words):
    path = tmp_path / 'a.csv'
    write_bin_tables(path, {'all': TABLE})
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=words):
        read_bin_tables(path)
