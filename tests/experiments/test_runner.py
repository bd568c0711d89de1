"""What is missing of a plan is run, whatever happened before."""

import json
from contextlib import closing

import pytest

from mmseg_jml.experiments.run.execution import execute, of_device
from mmseg_jml.experiments.run.runner import Runner, done_before
from mmseg_jml.experiments.run.state import read_state, write_state
from tests.experiments.stubs import (
    calls,
    go,
    leave_checkpoint,
    runs_of,
    start,
    states,
    use_stub,
    write_plan,
)


@pytest.fixture
def stub(monkeypatch):
    use_stub(monkeypatch)


def test_every_run_is_trained_then_tested(stub, tmp_path):
    runs = runs_of(write_plan(tmp_path, seeds=[0, 1]))
    assert go(runs)[0]
    assert [calls(run)[0] for run in runs] == [['train', 'test']] * 4


def test_a_record_tells_what_was_run(stub, tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    go([run])
    state = read_state(run.folder)
    assert state['state'] == 'done'
    assert (state['cell'], state['seed'], state['fold']) == ('a', 0, None)
    assert state['config'] == str(tmp_path / 'base.py')
    assert state['overrides'] == {'train_cfg.max_iters': 2}
    assert state['checkpoint'] == str(run.folder / 'iter_2.pth')
    assert state['attempts'] == 1
    assert 0 < state['train_seconds'] < 60
    assert 0 < state['test_seconds'] < 60
    assert state['device'].startswith('CPU')
    assert state['started'] <= state['finished']


def test_what_is_done_is_not_run_again(stub, tmp_path):
    runs = runs_of(write_plan(tmp_path))
    go(runs[:1])
    done, lines = go(runs)
    assert done
    assert [calls(run)[0] for run in runs] == [['train', 'test']] * 2
    assert lines[0] == '1 of 2 runs were finished before'


def test_a_training_by_hand_is_only_tested(stub, tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    leave_checkpoint(run.folder, 'iter_2.pth', note='/elsewhere/iter_2.pth')
    go([run])
    assert calls(run)[0] == ['test']
    assert states([run]) == {'a/seed-0': 'done'}
    assert read_state(run.folder)['peak_memory_mb'] is None


def test_an_interrupted_training_goes_on(stub, tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    leave_checkpoint(run.folder, 'iter_1.pth')
    _, lines = go([run])
    words = calls(run)[1][0]['words']
    assert words[words.index('--resume') + 1] == str(run.folder / 'iter_1.pth')
    assert 'continues training from iter_1.pth' in lines[0]


def test_a_training_whose_note_is_empty_goes_on(stub, tmp_path):
    """As a full disk leaves it."""
    (run, _) = runs_of(write_plan(tmp_path))
    leave_checkpoint(run.folder, 'iter_1.pth', note='')
    assert 'continues training from iter_1.pth' in go([run])[1][0]


def test_a_training_that_stopped_early_is_over(monkeypatch, tmp_path):
    use_stub(monkeypatch, STUB_STOP=1, STUB_BREAK='seed-0/test')
    (run, _) = runs_of(write_plan(tmp_path))
    go([run])
    monkeypatch.delenv('STUB_BREAK')
    assert go([run])[0]
    assert calls(run)[0] == ['train', 'test', 'test']
    assert read_state(run.folder)['checkpoint'] == str(run.folder / 'iter_1.pth')


def test_a_checkpoint_that_is_gone_is_not_gone_on_from(stub, tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    run.folder.mkdir(parents=True)
    (run.folder / 'last_checkpoint').write_text('iter_1.pth')
    go([run])
    assert '--resume' not in calls(run)[1][0]['words']
    assert states([run]) == {'a/seed-0': 'done'}


def test_a_failure_is_told_and_the_rest_goes_on(monkeypatch, tmp_path):
    use_stub(monkeypatch, STUB_BREAK='/a/')
    runs = runs_of(write_plan(tmp_path))
    done, lines = go(runs)
    assert not done
    assert states(runs) == {'a/seed-0': 'failed', 'b/seed-0': 'done'}
    reason = read_state(runs[0].folder)['reason']
    assert reason.startswith('the training ended with status 3:')
    assert reason.endswith('it is broken')
    (failure,) = (line for line in lines if 'failed' in line)
    assert 'a/seed-0 failed: it is broken' in failure
    assert str(runs[0].folder / 'output.txt') in failure


def test_a_failed_run_is_tried_again_and_its_times_add_up(monkeypatch, tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    use_stub(monkeypatch, STUB_BREAK='/a/')
    go([run])
    first = read_state(run.folder)
    monkeypatch.delenv('STUB_BREAK')
    assert go([run])[0]
    second = read_state(run.folder)
    assert (second['attempts'], second['reason']) == (2, None)
    assert second['train_seconds'] > first['train_seconds']
    assert second['started'] == first['started']


def test_a_student_learns_from_its_teachers_checkpoint(stub, tmp_path):
    student = {'config': str(tmp_path / 'student.py'), 'teacher': 't'}
    cells = {'s': student, 't': str(tmp_path / 'base.py')}
    teacher, run = runs_of(write_plan(tmp_path, cells=cells))
    assert go([teacher, run], jobs=2)[0]
    option = f'model.teacher_checkpoint={teacher.folder}/iter_2.pth'
    assert option in calls(run)[1][0]['words']
    assert read_state(run.folder)['started'] >= read_state(teacher.folder)['finished']


def test_a_teacher_whose_weights_are_gone_is_trained_again_if_it_is_needed(
    monkeypatch, tmp_path
):
    use_stub(monkeypatch)
    student = {'config': str(tmp_path / 'student.py'), 'teacher': 't'}
    cells = {'s': student, 't': str(tmp_path / 'base.py')}
    runs = runs_of(write_plan(tmp_path, cells=cells))
    teacher, _ = runs
    go([teacher])
    for path in teacher.folder.glob('*.pth'):
        path.unlink()
    assert go(runs)[0]
    assert calls(teacher)[0] == ['train', 'train', 'test', 'test']
    for path in teacher.folder.glob('*.pth'):
        path.unlink()
    assert go(runs)[0]  # nobody learns from it any more
    assert calls(teacher)[0] == ['train', 'train', 'test', 'test']


def test_a_second_training_that_breaks_off_is_not_the_first(monkeypatch, tmp_path):
    student = {'config': str(tmp_path / 'student.py'), 'teacher': 't'}
    cells = {'s': student, 't': str(tmp_path / 'base.py')}
    runs = runs_of(write_plan(tmp_path, cells=cells))
    use_stub(monkeypatch)
    go(runs[:1])
    for path in runs[0].folder.glob('*.pth'):
        path.unlink()
    with closing(start(runs[0], 0, print)) as steps:
        next(steps)
        leave_checkpoint(runs[0].folder, 'iter_1.pth')
    assert not read_state(runs[0].folder)['trained']
    assert go(runs)[0]
    words = [call['words'] for call in calls(runs[0])[1]]
    *_, last = (each for each in words if each[0] == 'train')
    assert last[last.index('--resume') + 1] == str(runs[0].folder / 'iter_1.pth')
    assert words[-1][2] == str(runs[0].folder / 'iter_2.pth')


def test_a_teacher_is_trained_again_with_its_own_teacher(stub, tmp_path):
    taught = {'config': str(tmp_path / 'student.py')}
    cells = {
        'a': str(tmp_path / 'base.py'),
        'b': {**taught, 'teacher': 'a'},
        'c': {**taught, 'teacher': 'b'},
    }
    runs = runs_of(write_plan(tmp_path, cells=cells))
    go(runs[:2])
    assert done_before(runs) == {run.folder for run in runs[:2]}
    for run in runs[:2]:
        for path in run.folder.glob('*.pth'):
            path.unlink()
    assert done_before(runs) == set()
    assert go(runs)[0]


def test_students_of_a_failed_teacher_are_not_run(monkeypatch, tmp_path):
    use_stub(monkeypatch, STUB_BREAK='/t/')
    student = {'config': str(tmp_path / 'student.py'), 'teacher': 't'}
    base = str(tmp_path / 'base.py')
    cells = {'s': student, 's2': student | {'teacher': 's'}, 't': base, 'other': base}
    runs = runs_of(write_plan(tmp_path, cells=cells))
    lines = []
    runner = Runner(runs, start, say=lines.append)
    assert not runner.run()
    assert states(runs)['other/seed-0'] == 'done'
    assert not any(run.folder.exists() for run in runs if run.cell.teacher)
    assert any('s/seed-0 is not run, because t/seed-0 failed' in x for x in lines)
    table = [line.split() for line in runner.table().splitlines()]
    assert ['s', '0', '0', '1', '0.00'] in table
    assert ['t', '0', '1', '0', '0.00'] in table


def test_each_fold_finds_its_number_in_the_environment(stub, tmp_path):
    runs = runs_of(write_plan(tmp_path, folds=[0, 3]))
    assert go(runs)[0]
    found = {run.name: calls(run)[1] for run in runs}
    for name, noted in found.items():
        folds = {call['environment']['DEEPGLOBE_FOLD'] for call in noted}
        assert folds == {name[-1]}


def test_as_many_run_at_a_time_as_asked(monkeypatch, tmp_path):
    use_stub(monkeypatch, STUB_PAUSE=0.2)
    runs = runs_of(write_plan(tmp_path, seeds=[0, 1]))
    held = []

    def counted(run, place, say):
        held.append((len(held), place))
        return execute(run, say=say)

    runner = Runner(runs, counted, jobs=2, say=lambda line: None)
    assert runner.run()
    assert {place for _, place in held} == {0, 1}
    spans = [
        (s['started'], s['finished']) for s in (read_state(r.folder) for r in runs)
    ]
    assert spans[0][0] <= spans[1][1]
    assert spans[1][0] <= spans[0][1]


def test_the_report_is_asked_for_after_each_run(stub, tmp_path):
    seen = []
    runs = runs_of(write_plan(tmp_path))
    go(runs, after=lambda: seen.append(states(runs)))
    assert [list(each.values()) for each in seen] == [['done', None], ['done', 'done']]


def test_time_left_is_that_of_the_same_cell(tmp_path):
    runs = runs_of(write_plan(tmp_path, seeds=[0, 1]))
    runner = Runner(runs, start, jobs=2)
    for run, seconds in zip(runs[:2], (3600, 600), strict=True):
        times = {'train_seconds': seconds - 60, 'test_seconds': 60}
        write_state(run.folder, {'state': 'done'} | times)
        runner._end(run)
    assert runner._left() == '0 h 35 min'


def test_one_run_that_is_left_takes_its_own_time_however_many_places(tmp_path):
    runs = runs_of(write_plan(tmp_path, seeds=[0, 1]))[:2]
    runner = Runner(runs, start, jobs=4)
    write_state(
        runs[0].folder, {'state': 'done', 'train_seconds': 3600, 'test_seconds': 0}
    )
    runner._end(runs[0])
    assert runner._left() == '1 h 0 min'


def test_where_the_end_of_a_run_fails_the_others_are_ended_too(tmp_path):
    ended = []

    def begin(run, place, say):
        try:
            yield from iter(int, 1)
        finally:
            ended.append(run.name)
            if place == 0:
                raise OSError('the disk is full')

    runs = runs_of(write_plan(tmp_path))
    runner = Runner(runs, begin, jobs=2)

    def interrupt():
        for _, steps in runner._active.values():
            next(steps)
        raise KeyboardInterrupt

    runner._advance = interrupt
    with pytest.raises(OSError, match='full'):
        runner.run()
    assert sorted(ended) == sorted(run.name for run in runs)


def test_a_training_by_hand_tells_nothing_of_the_time_left(tmp_path):
    runs = runs_of(write_plan(tmp_path, seeds=[0, 1]))
    runner = Runner(runs, start)
    write_state(runs[0].folder, {'state': 'done', 'test_seconds': 5})
    runner._end(runs[0])
    assert runner._left() == ''


def test_a_record_that_is_not_ours_is_refused(tmp_path):
    for text in ('half of', '[]', '{}'):
        (tmp_path / 'run.json').write_text(text)
        with pytest.raises(ValueError, match=r'run\.json .*delete it'):
            read_state(tmp_path)


def test_memory_on_a_gpu_is_that_of_the_trainings_log(tmp_path):
    log = tmp_path / '1' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    lines = [{'iter': n, 'step': n, 'memory': m} for n, m in ((1, 900), (2, 1200))]
    lines.append({'step': 2, 'mIoU': 3.0})
    log.write_text('\n'.join([*map(json.dumps, lines), '{"memory": 99']))
    (tmp_path / '1' / '1.log').write_text('    GPU 0,1: NVIDIA H100 80GB HBM3\n')
    assert of_device(tmp_path) == {
        'device': 'NVIDIA H100 80GB HBM3',
        'peak_memory_mb': 1200,
    }
