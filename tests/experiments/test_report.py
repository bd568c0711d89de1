import csv
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from mmseg_jml.experiments.plan.plan import Cell, Plan, Sweep
from mmseg_jml.experiments.report.plots import DRAWINGS
from mmseg_jml.experiments.report.report import write_report
from mmseg_jml.experiments.report.statistics import summarize
from mmseg_jml.experiments.run.state import try_lock
from tests.experiments.folders import areas_of, write_log, write_run

REPORT = 'mmseg_jml.experiments.report.report'
TITLES = {'ce': 'CE', 'jml': 'JML', 'dice': 'Dice | mmseg'}


def make_plan(**options):
    cells = [Cell(name=n, title=title, config='a.py') for n, title in TITLES.items()]
    return Plan(
        **{'name': 'small', 'cells': tuple(cells), 'baseline': 'ce', 'seeds': (0, 1)}
        | options
    )


def write_cells(work_dir):
    """Two runs of CE and JML, one of Dice and one that failed."""
    for i, cell in enumerate(TITLES):
        for seed in range(2):
            folder = work_dir / cell / f'seed-{seed}'
            write_run(folder, areas_of(10 * i + seed, skill=0.7 + i / 50), ece=1 + seed)
    text = '{"state": "failed", "reason": "train ended:\\nmiddle\\nOut of memory"}'
    (work_dir / 'dice' / 'seed-1' / 'run.json').write_text(text)
    return work_dir


@pytest.fixture
def work_dir(tmp_path, monkeypatch):
    """Runs whose report is written without pictures, which take seconds."""
    monkeypatch.setattr(
        'mmseg_jml.experiments.report.report.draw_plots', lambda findings: {}
    )
    return write_cells(tmp_path)


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    """The whole report, with a sweep."""
    work_dir = write_cells(tmp_path_factory.mktemp('drawn'))
    cells = [Cell(name='ce', title='CE', config='a.py')]
    cells += [
        Cell(name=n, title=f'BLS, epsilon {v}', config='a.py', swept={'epsilon': v})
        for n, v in {'jml': 0.1, 'dice': 0.5}.items()
    ]
    sweep = Sweep(name='epsilon', values=(0.1, 0.5))
    return write_report(make_plan(cells=tuple(cells), sweep=sweep), work_dir)


def read_csv(path):
    with path.open(newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def test_a_report_lies_in_the_work_dir_with_its_tables_and_pictures(drawn):
    assert drawn.parts[-2:] == ('report', 'report.md')
    tables = {'runs.csv', 'summary.csv', 'differences.csv'}
    expected = {'report.md', '.lock', *tables, *(f'{name}.png' for name in DRAWINGS)}
    assert {each.name for each in drawn.parent.iterdir()} == expected
    for name in DRAWINGS:
        with Image.open(drawn.parent / f'{name}.png') as image:
            assert image.format == 'PNG'


def test_each_picture_is_shown_once(drawn):
    shown = re.findall(r'!\[.+?\]\((.+?)\)', drawn.read_text(encoding='utf-8'))
    assert sorted(shown) == sorted(f'{name}.png' for name in DRAWINGS)


def test_the_same_folder_gives_the_same_report(work_dir):
    first = write_report(make_plan(), work_dir, work_dir / 'one')
    second = write_report(make_plan(), work_dir, work_dir / 'two')
    for path in first.parent.iterdir():
        assert path.read_bytes() == (second.parent / path.name).read_bytes()


def test_another_writer_is_waited_for(work_dir):
    with ThreadPoolExecutor() as pool:
        with try_lock(work_dir / 'report'):
            writing = pool.submit(write_report, make_plan(), work_dir)
            with pytest.raises(TimeoutError):
                writing.result(0.5)
            assert not (work_dir / 'report' / 'report.md').exists()
        assert writing.result(60).is_file()


def test_every_run_is_a_row(work_dir):
    write_report(make_plan(), work_dir)
    rows = read_csv(work_dir / 'report' / 'runs.csv')
    assert [(row['cell'], row['seed'], row['state']) for row in rows] == [
        ('ce', '0', 'done'),
        ('ce', '1', 'done'),
        ('jml', '0', 'done'),
        ('jml', '1', 'done'),
        ('dice', '0', 'done'),
        ('dice', '1', 'failed'),
    ]
    assert rows[0]['folder'] == 'ce/seed-0'
    assert rows[0]['ECE'] == rows[0]['calib/ECE'] == '1.0'


def test_the_summary_is_that_of_the_finished_runs(work_dir):
    text = write_report(make_plan(), work_dir).read_text(encoding='utf-8')
    runs = read_csv(work_dir / 'report' / 'runs.csv')
    summary = {
        (row['cell'], row['metric']): row
        for row in read_csv(work_dir / 'report' / 'summary.csv')
    }
    values = [float(row['mIoU']) for row in runs if row['cell'] == 'jml']
    row, expected = summary['jml', 'mIoU'], summarize(values)
    assert float(row['mean']) == expected.mean
    assert float(row['std']) == expected.std
    assert float(row['max']) == max(values)
    assert float(row['low']) < expected.mean < float(row['high'])
    cell = f'{expected.mean:.2f} ± {expected.std:.2f} ({max(values):.2f})'
    assert '| JML | 2 of 2 | ' in text
    assert cell in text


def test_one_run_has_an_empty_standard_deviation_not_0(work_dir):
    text = write_report(make_plan(), work_dir).read_text(encoding='utf-8')
    rows = read_csv(work_dir / 'report' / 'summary.csv')
    assert {row['std'] for row in rows if row['cell'] == 'dice'} == {''}
    (line,) = (line for line in text.splitlines() if '1 of 2' in line)
    assert '±' not in line


def test_unfinished_runs_are_named_with_their_reason(work_dir):
    text = write_report(make_plan(seeds=(0, 1, 2)), work_dir).read_text('utf-8')
    section = text[text.index('## Not finished') : text.index('<details>')]
    assert '4 of 9 runs' in section
    reason = 'train ended: … Out of memory'
    assert f'| Dice \\| mmseg | seed 1 | failed | {reason} |' in section
    assert '| CE | seed 2 | missing | it was not started |' in section


def test_runs_that_are_missing_alike_share_a_row(work_dir):
    text = write_report(make_plan(seeds=(0, 1, 2, 3)), work_dir).read_text('utf-8')
    assert '| JML | seed 2; seed 3 | missing | it was not started |' in text
    assert '7 of 12 runs' in text


def test_what_no_run_has_is_no_column(work_dir):
    for path in work_dir.rglob('2026*.json'):
        path.write_text(path.read_text().replace('calib/BECE', 'other'))
    text = write_report(make_plan(), work_dir).read_text(encoding='utf-8')
    assert '| ECE (%) |' in text
    assert '| BECE (%) |' not in text
    assert 'peak memory' not in text


def test_differences_have_a_row_for_each_figure_and_class(work_dir):
    text = write_report(make_plan(), work_dir).read_text(encoding='utf-8')
    rows = read_csv(work_dir / 'report' / 'differences.csv')
    found = {row['metric']: row for row in rows if row['cell'] == 'jml'}
    assert {'Acc', 'mIoU', 'ECE', 'IoU.sky', 'IoU.car'} <= set(found)
    row = {name: float(found['mIoU'][name]) for name in ('difference', 'low', 'high')}
    shown = '{difference:+.2f} [{low:+.2f}, {high:+.2f}]'.format(**row)
    assert shown in text
    assert found['ECE']['low'] == ''
    assert 'The intervals do not cover the training' in text


def test_a_refused_difference_is_named(work_dir):
    names = [f'other-{i}.png' for i in range(20)]
    write_run(work_dir / 'jml' / 'seed-1', areas_of(11), names=names)
    text = write_report(make_plan(), work_dir).read_text(encoding='utf-8')
    assert '- JML: not compared: the test sets differ: 40 images' in text
    rows = read_csv(work_dir / 'report' / 'differences.csv')
    (row,) = (row for row in rows if row['cell'] == 'jml')
    assert row['difference'] == ''
    assert 'the test sets differ' in row['remark']


def test_without_a_baseline_nothing_is_compared(work_dir):
    text = write_report(make_plan(baseline=None), work_dir).read_text('utf-8')
    assert 'Differences' not in text
    assert len(read_csv(work_dir / 'report' / 'differences.csv')) == 0


def test_a_plan_that_was_not_begun_has_a_report(tmp_path):
    text = write_report(make_plan(), tmp_path).read_text(encoding='utf-8')
    assert '6 of 6 runs are not included in the results above' in text
    assert not list((tmp_path / 'report').glob('*.png'))


def test_pictures_of_an_earlier_report_do_not_stay(work_dir):
    old = work_dir / 'report' / 'differences.png'
    old.parent.mkdir()
    old.write_bytes(b'')
    write_report(make_plan(), work_dir)
    assert not old.exists()


def test_a_running_plan_has_a_report_of_what_is_there(work_dir):
    write_log(work_dir / 'jml' / 'seed-2', [50])
    (work_dir / 'jml' / 'seed-2' / 'run.json').write_text('{"state": "running"}')
    text = write_report(make_plan(seeds=(0, 1, 2)), work_dir).read_text('utf-8')
    assert '| JML | seed 2 | running | it is still running, or was killed |' in text
    assert '| JML | 2 of 3 |' in text


def paper_plan(**options):
    rows = {'ce': 'M2/CE', 'jml': 'M2/JML', 'dice': 'M2/Dice'}
    cells = [
        Cell(name=name, title=title, config='a.py', paper=rows[name])
        for name, title in TITLES.items()
    ]
    return make_plan(**{'cells': tuple(cells), 'paper': 'table2'} | options)


def test_the_papers_figures_stand_beside_ours(work_dir):
    text = write_report(paper_plan(), work_dir).read_text(encoding='utf-8')
    section = text[
        text.index('## Comparison with the paper') : text.index('## Not finished')
    ]
    assert 'Table 2: PASCAL VOC.' in section
    (ours,) = re.findall(r'^\| JML \|.*± 0.52.*$', section, re.MULTILINE)
    assert '74.42 ± 0.52' in ours
    # 74.42 - 72.47
    assert '| +1.95 |' in section
    assert 'The table in the paper has no row M2/Dice.' in section
    assert 'divides by the number of runs' in section


def test_a_plan_without_a_table_of_the_paper_does_not_speak_of_it(work_dir):
    assert 'paper' not in write_report(make_plan(), work_dir).read_text('utf-8')


def test_each_model_of_a_table_is_compared_with_its_own_baseline(work_dir):
    rows = {'ce': 'M2/CE', 'jml': 'M3/CE', 'dice': 'M3/JML', 'other': 'M2/JML'}
    cells = [
        Cell(name=name, title=name, config='a.py', paper=row)
        for name, row in rows.items()
    ]
    text = write_report(paper_plan(cells=tuple(cells)), work_dir).read_text('utf-8')
    assert '## Differences to the baseline' in text
    assert '| dice | jml |' in text
    differences = read_csv(work_dir / 'report' / 'differences.csv')
    pairs = {(row['cell'], row['baseline']) for row in differences}
    assert pairs == {('dice', 'jml'), ('other', 'ce')}
    # 72.35 - 70.14
    assert '| +2.21 |' in text


def test_a_curve_of_the_paper_says_that_it_has_no_figures(work_dir):
    text = write_report(paper_plan(paper='figure5'), work_dir).read_text('utf-8')
    assert 'The paper shows these results as curves without values' in text


def test_a_sweep_names_the_best_value_of_each_family(work_dir):
    swept = {'ce': ('a', 0.1), 'jml': ('a', 0.5), 'dice': ('b', 0.1)}
    cells = [
        Cell(name=name, title=f'{family}, eps {v}', config='a.py', swept={'eps': v})
        for name, (family, v) in swept.items()
    ]
    plan = make_plan(cells=tuple(cells), sweep=Sweep(name='eps', values=(0.1, 0.5)))
    text = write_report(plan, work_dir).read_text(encoding='utf-8')
    section = text[text.index('## eps') : text.index('## Differences')]
    assert '| a | 0.5 |' in section
    assert '| 2 of 2 |' in section
    assert '| b | 0.1 |' in section
    assert 'looks too good on the images' in section


def test_an_error_leaves_the_report_that_was_there(work_dir, monkeypatch):
    path = write_report(make_plan(), work_dir)
    before = path.read_bytes()

    def fail(*args):
        raise RuntimeError

    monkeypatch.setattr(f'{REPORT}.report_text', fail)
    with pytest.raises(RuntimeError):
        write_report(make_plan(), work_dir)
    assert path.read_bytes() == before
    assert not list(path.parent.glob('.*part*'))
