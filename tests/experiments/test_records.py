import json

import pytest

from mmseg_jml.experiments.plan.plan import Cell, Plan
from mmseg_jml.experiments.report.records import read_runs
from tests.experiments.folders import areas_of, write_log, write_run, write_test


def plan_of(*cells, seeds=(0,), folds=()):
    cells = [Cell(name=name, title=name, config='a.py') for name in cells]
    return Plan(name='plan', cells=tuple(cells), seeds=seeds, folds=folds)


def only_run(tmp_path):
    (run,) = read_runs(plan_of('ce'), tmp_path)['ce']
    return run


@pytest.fixture
def folder(tmp_path):
    """The folder of the one run of `only_run`."""
    return tmp_path / 'ce' / 'seed-0'


def note(folder, **record):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'run.json').write_text(json.dumps(record))


def test_a_run_has_the_figures_of_its_test(tmp_path, folder):
    scalars = write_run(folder, areas_of(0))
    run = only_run(tmp_path)
    assert run.state == 'done'
    assert run.scalars == scalars
    assert run.figures['mIoU'] == scalars['mIoU']
    assert run.figures['hours'] * 3600 == 100
    assert 'memory' not in run.figures


def test_of_several_tests_the_newest_with_counts_is_read(tmp_path, folder):
    write_test(folder, {'mIoU': 1.0}, areas_of(0), attempt='20260101_000000')
    write_test(folder, {'mIoU': 2.0}, areas_of(0), attempt='20260102_000000')
    write_test(folder, {'mIoU': 3.0}, attempt='20260103_000000')
    half = write_test(folder, {}, areas_of(0), attempt='20260104_000000')
    (half / '20260104_000000.json').write_text('{"mIoU": 4')
    run = only_run(tmp_path)
    assert run.figures['mIoU'] == 2
    assert run.areas.parent.name == '20260102_000000'


def test_a_test_without_counts_still_has_figures(tmp_path, folder):
    write_test(folder, {'mIoU': 3.0})
    run = only_run(tmp_path)
    assert (run.state, run.figures, run.areas) == ('done', {'mIoU': 3.0}, None)


def test_what_is_not_finite_is_no_figure(tmp_path, folder):
    write_test(folder, {'mIoU': 3.0, 'calib/ECE': float('nan'), 'aAcc': float('inf')})
    assert only_run(tmp_path).figures == {'mIoU': 3.0}


@pytest.mark.parametrize(
    ('record', 'state', 'reason'),
    [
        ({'state': 'failed', 'reason': 'out of memory'}, 'failed', 'out of memory'),
        ({'state': 'failed', 'reason': None}, 'failed', 'no reason was recorded'),
        ({'state': 'running'}, 'running', 'it is still running, or was killed'),
        ({'state': 'done'}, 'done', ''),
    ],
)
def test_a_record_tells_the_state(tmp_path, folder, record, state, reason):
    write_run(folder, areas_of(0))
    note(folder, **record)
    run = only_run(tmp_path)
    assert (run.state, run.reason) == (state, reason)


def test_a_run_that_was_not_begun_is_missing(tmp_path):
    assert only_run(tmp_path).state == 'missing'


@pytest.mark.parametrize('noted', [False, True])
def test_a_run_without_a_test_says_how_far_it_came(tmp_path, folder, noted):
    write_log(folder, [50, 100])
    if noted:
        note(folder, state='done')
    run = only_run(tmp_path)
    assert run.state == 'untested'
    assert (
        run.reason
        == 'it was trained to iteration 100, but test/ has no complete result'
    )


def test_half_a_record_is_none(tmp_path, folder):
    write_run(folder, areas_of(0))
    (folder / 'run.json').write_text('{"state": "fail')
    assert only_run(tmp_path).state == 'done'


def test_hours_are_the_records_where_there_is_no_log(tmp_path, folder):
    write_test(folder, {'mIoU': 3.0})
    note(folder, state='done', train_seconds=7200, peak_memory_mb=512.0)
    figures = only_run(tmp_path).figures
    assert (figures['hours'], figures['memory']) == (2, 512)


@pytest.mark.parametrize(
    ('seeds', 'folds', 'folders'),
    [
        ((0, 2), (), ['seed-0', 'seed-2']),
        ((), (0, 1), ['fold-0', 'fold-1']),
        ((3,), (0, 1), ['fold-0_seed-3', 'fold-1']),
        ((0, 1), (4,), ['fold-4_seed-0', 'fold-4_seed-1']),
        ((), (), ['run']),
    ],
)
def test_each_seed_and_fold_has_its_folder(tmp_path, seeds, folds, folders):
    for name in folders:
        write_test(tmp_path / 'ce' / name, {'mIoU': 3.0})
    runs = read_runs(plan_of('ce', seeds=seeds, folds=folds), tmp_path)['ce']
    assert [run.folder.name for run in runs] == folders
    assert {run.state for run in runs} == {'done'}


def test_a_cell_may_have_seeds_of_its_own(tmp_path):
    teacher = Cell(name='teacher', title='teacher', config='a.py', seeds=(0,))
    plan = Plan(name='plan', cells=(teacher,), seeds=(0, 1, 2))
    assert [run.seed for run in read_runs(plan, tmp_path)['teacher']] == [0]
