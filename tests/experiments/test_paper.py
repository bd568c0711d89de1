import math
import statistics

import pytest
import yaml

from mmseg_jml.experiments.plan.paper import read_table
from tests.processes import ROOT

TABLES = [f'table{number}' for number in range(1, 10)]
PLANS = sorted((ROOT / 'benchmarks' / 'plans').glob('*.yml'))


@pytest.mark.parametrize('name', TABLES)
def test_each_table_has_figures_for_each_column(name):
    table = read_table(name)
    assert table.rows
    figures = [figure for row in table.rows.values() for figure in row.values()]
    assert all(0 < figure.mean < 100 for figure in figures)
    assert len({tuple(row) for row in table.rows.values()}) == 1


def test_a_figure_has_its_spread_and_maximum():
    row = read_table('table4').rows['Cityscapes/DL3-R18/JML-KD']
    assert row['mIoU'] == (77.91, 0.16, 78.14)
    assert read_table('table4').rows['VOC/PSP-R18/SKD']['mIoU'] == (74.07, None, None)


@pytest.mark.parametrize('row', ['BLS/JML', 'KD/CE', 'KD/JML'])
def test_the_papers_spread_divides_by_the_number_of_runs(row):
    figures = read_table('table9').rows[row]
    folds = [figures[f'fold {number}'].mean for number in range(5)]
    assert figures['mIoU'].mean == round(statistics.fmean(folds), 2)
    assert figures['mIoU'].spread == round(statistics.pstdev(folds), 2)
    assert figures['mIoU'].spread < round(statistics.stdev(folds), 2)


@pytest.mark.parametrize(('runs', 'factor'), [(3, '1.22'), (5, '1.12')])
def test_the_notes_say_how_much_larger_our_spread_is(runs, factor):
    assert f'{math.sqrt(runs / (runs - 1)):.2f}' == factor
    notes = ' '.join(read_table('table1').notes)
    assert f'{factor} times' in notes


@pytest.mark.parametrize('method', ['BLS', 'KD'])
def test_the_folds_are_those_of_the_unets(method):
    row = {'BLS': 'M5/JML-BLS', 'KD': 'M6/JML-KD'}[method]
    folds = read_table('table9').rows[f'{method}/JML']
    assert folds['mIoU'] == read_table('table3').rows[row]['mIoU']


def test_tables_that_share_a_result_agree():
    voc, city = read_table('table2').rows, read_table('table1').rows
    for name, row in (('table5', 'VOC/JML-KD'), ('table8', 'VOC/JML1/KD')):
        assert read_table(name).rows[row]['mIoU'] == voc['M2/JML-KD']['mIoU']
    for method in ('JML-BLS', 'JML-KD'):
        active = read_table('table7').rows[f'{method}/label']
        assert active['mIoU'] == voc[f'M2/{method}']['mIoU']
    assert read_table('table8').rows['Cityscapes/SJL/hard'] == {
        'mIoU': city['M2/JML']['mIoU']
    }


@pytest.mark.parametrize('plan', PLANS, ids=lambda path: path.name)
def test_each_row_that_a_plan_names_is_in_its_table(plan):
    found = yaml.safe_load(plan.read_text(encoding='utf-8'))
    rows = {cell.get('paper') for cell in found.get('cells', {}).values()} - {None}
    assert not rows or rows <= set(read_table(found['paper']).rows)


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match=r"`paper` must be one of \['table1', .*'tab'"):
        read_table('tab')
