"""What is missing of a plan is run, whatever happened before."""

import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
import yaml

from mmseg_jml.benchmark.cells import runs
from mmseg_jml.benchmark.execution import execute, of_device
from mmseg_jml.benchmark.plan import read_plan
from mmseg_jml.benchmark.process import memory
from mmseg_jml.benchmark.runner import Runner, check
from mmseg_jml.benchmark.state import read_state, try_lock, write_state
from mmseg_jml.cli.benchmark import gpus_of, run_benchmark
from tests.benchmark.stubs import calls, runs_of, states, use_stub, write_plan
from tests.processes import ROOT

DRIVE = Path(__file__).parent / 'drive.py'


def start(run, place, say):
    return execute(run, say=say)


def go(runs, **options):
    """Run them; gives whether all is done, and the lines that were said."""
    lines = []
    return Runner(runs, start, say=lines.append, **options).run(), lines


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
    assert lines[0] == '1 of 2 runs were done before'


def test_a_training_by_hand_is_only_tested(stub, tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    run.folder.mkdir(parents=True)
    (run.folder / 'iter_2.pth').touch()
    (run.folder / 'last_checkpoint').write_text('/elsewhere/iter_2.pth')
    go([run])
    assert calls(run)[0] == ['test']
    assert states([run]) == {'a/seed-0': 'done'}


def test_an_interrupted_training_goes_on(stub, tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    run.folder.mkdir(parents=True)
    (run.folder / 'iter_1.pth').touch()
    (run.folder / 'last_checkpoint').write_text('iter_1.pth')
    _, lines = go([run])
    words = calls(run)[1][0]['words']
    assert words[words.index('--resume') + 1] == str(run.folder / 'iter_1.pth')
    assert 'trains on from iter_1.pth' in lines[0]


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
    assert any('s/seed-0 is not run: its teacher t/seed-0 failed' in x for x in lines)
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
        runner.outcomes[run.folder] = 'done'
        runner._seconds[run.folder] = seconds
    assert runner._left() == '0 h 35 min'


class Driven:
    """A runner in a process of its own."""

    def __init__(self, path, jobs=1):
        self.runs = runs_of(path)
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVE), str(path), str(jobs)], stdout=subprocess.PIPE
        )

    def wait_for(self, path):
        deadline = time.monotonic() + 60
        while not path.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                pytest.fail(f'no {path}')
            time.sleep(0.01)

    def end(self, number):
        os.kill(self.process.pid, number)
        self.process.communicate()
        return self.process.returncode


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def train_pids(run):
    return [call['pid'] for call in calls(run)[1] if call['words'][0] == 'train']


def test_a_killed_plan_goes_on_with_what_is_missing(monkeypatch, tmp_path):
    use_stub(monkeypatch, STUB_PAUSE=0.4)
    overrides = {'train_cfg.max_iters': 6}
    path = write_plan(tmp_path, overrides=overrides)
    driven = Driven(path)
    first, second = driven.runs
    driven.wait_for(second.folder / 'iter_2.pth')
    assert driven.end(signal.SIGKILL) == -signal.SIGKILL
    (pid,) = train_pids(second)
    assert is_alive(pid)  # nobody could end it
    assert read_state(second.folder)['state'] == 'running'
    done, lines = go(runs_of(path))
    assert done
    assert 'b/seed-0 waits for another process' in lines[1]
    # What outlived the first runner was left in peace, and its work was kept.
    assert calls(first)[0] == calls(second)[0] == ['train', 'test']


def test_a_training_that_was_killed_with_its_runner_is_resumed(monkeypatch, tmp_path):
    use_stub(monkeypatch, STUB_PAUSE=0.4)
    path = write_plan(tmp_path, overrides={'train_cfg.max_iters': 5})
    driven = Driven(path)
    first, second = driven.runs
    driven.wait_for(second.folder / 'iter_2.pth')
    driven.end(signal.SIGKILL)
    os.kill(train_pids(second)[0], signal.SIGKILL)
    assert go(runs_of(path))[0]
    assert calls(first)[0] == ['train', 'test']
    assert calls(second)[0] == ['train', 'train', 'test']
    assert '--resume' in calls(second)[1][1]['words']
    assert read_state(second.folder)['attempts'] == 2


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_children_and_all_can_go_on(monkeypatch, tmp_path, number):
    use_stub(monkeypatch, STUB_PAUSE=0.4)
    path = write_plan(tmp_path, overrides={'train_cfg.max_iters': 50})
    driven = Driven(path, jobs=2)
    for run in driven.runs:
        driven.wait_for(run.folder / 'iter_1.pth')
    assert driven.end(number) != 0
    for run in driven.runs:
        assert not any(map(is_alive, train_pids(run)))
        state = read_state(run.folder)
        assert state['state'] == 'running'
        assert state['train_seconds'] > 0.3
        with try_lock(run.folder) as lock:
            assert lock is not None


def test_two_holders_of_a_lock_are_one_too_many(tmp_path):
    with try_lock(tmp_path) as first, try_lock(tmp_path) as second:
        assert first is not None
        assert second is None
    with try_lock(tmp_path) as third:
        assert third is not None


def test_a_lock_waited_for_may_bring_a_finished_run(stub, tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    steps = execute(run, say=lambda line: None)
    with try_lock(run.folder):
        next(steps)
        write_state(run.folder, {'state': 'done'})
    assert list(steps) == []
    assert calls(run)[0] == []


def test_a_record_that_is_not_ours_is_refused(tmp_path):
    for text in ('half of', '[]', '{}'):
        (tmp_path / 'run.json').write_text(text)
        with pytest.raises(ValueError, match=r'run\.json .*delete it'):
            read_state(tmp_path)


def test_memory_counts_the_children(tmp_path):
    code = 'import time; held = bytearray(range(256)) * 400000; time.sleep(60)'
    parent = f'import subprocess, sys; subprocess.run([sys.executable, "-c", {code!r}])'
    process = subprocess.Popen([sys.executable, '-c', parent], start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while (memory(process.pid) or 0) < 90e6 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert 100e6 < memory(process.pid) < 200e6
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def reports(monkeypatch):
    """What is asked of the report, in place of one."""
    asked = []

    def write_report(plan, work_dir):
        asked.append((plan.name, work_dir))
        return work_dir / 'report.md'

    module = types.ModuleType('mmseg_jml.benchmark.report')
    module.write_report = write_report
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return asked


def test_the_command_ends_with_a_table_a_report_and_a_status(
    monkeypatch, tmp_path, capsys, reports
):
    use_stub(monkeypatch, STUB_BREAK='/b/')
    monkeypatch.chdir(tmp_path)
    path = write_plan(tmp_path)
    assert run_benchmark([str(path)]) == 1
    printed = capsys.readouterr().out
    assert 'b        0       1        0   0.00' in printed.splitlines()
    assert printed.endswith('report: work_dirs/plan/report.md\n')
    assert set(reports) == {('plan', Path('work_dirs/plan'))}
    assert len(reports) == 3  # after each run, and at the end
    monkeypatch.delenv('STUB_BREAK')
    assert run_benchmark([str(path)]) == 0


def test_a_report_that_fails_on_the_way_ends_nothing(
    monkeypatch, tmp_path, capsys, reports
):
    use_stub(monkeypatch)

    def write_report(plan, work_dir):
        raise KeyError('ECE')

    module = sys.modules['mmseg_jml.benchmark.report']
    monkeypatch.setattr(module, 'write_report', write_report)
    path = write_plan(tmp_path)
    with pytest.raises(KeyError):
        run_benchmark([str(path), '--work-dir', str(tmp_path / 'work')])
    assert set(states(runs_of(path)).values()) == {'done'}
    assert "no report yet: KeyError: 'ECE'" in capsys.readouterr().err


def test_what_is_wrong_with_a_plan_ends_the_command_with_a_sentence(tmp_path):
    path = write_plan(tmp_path, baseline='c')
    with pytest.raises(SystemExit, match=r'error: .*`baseline` must be one of'):
        run_benchmark([str(path)])


def test_a_users_config_is_trained_tested_and_tabulated(tmp_path, monkeypatch, reports):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    plan = {
        'base': str(ROOT / 'tests' / 'tools' / 'tiny.py'),
        'losses': ['jml-bls'],
        'overrides': {'train_cfg.max_iters': 2},
        'seeds': [5],
    }
    Path('mine.yml').write_text(yaml.safe_dump(plan))
    assert run_benchmark(['mine.yml']) == 0
    folder = Path('work_dirs/mine/jml-bls/seed-5')
    state = read_state(folder)
    assert Path(state['checkpoint']) == folder / 'iter_2.pth'
    assert state['peak_memory_mb'] > 100
    (result,) = folder.glob('test/*/*.json')
    assert {'mIoU', 'calib/ECE'} <= json.loads(result.read_text()).keys()
    (table,) = folder.glob('test/*/calib_per_image.csv')
    assert len(table.read_text().splitlines()) == 1 + 4
    # The config that was trained is the plan's.
    check(runs(read_plan('mine.yml'), Path('work_dirs/mine')))


@pytest.mark.parametrize(
    ('place', 'number', 'visible', 'own'),
    [(0, 1, None, '0'), (1, 2, None, '2,3'), (2, 2, None, '0,1'), (1, 1, '7,5', '5')],
)
def test_each_place_has_its_gpus(monkeypatch, place, number, visible, own):
    count = 4 if visible is None else len(visible.split(','))
    monkeypatch.setattr('torch.cuda.device_count', lambda: count)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if visible:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    assert gpus_of(place, number) == {'CUDA_VISIBLE_DEVICES': own}


def test_without_gpus_there_is_nothing_to_share(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 0)
    assert gpus_of(1, 1) == {}


def test_memory_on_a_gpu_is_that_of_the_trainings_log(tmp_path):
    log = tmp_path / '1' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    lines = [{'iter': 1, 'memory': 900}, {'iter': 2, 'memory': 1200}, {'mIoU': 3.0}]
    log.write_text('\n'.join(map(json.dumps, lines)))
    (tmp_path / '1' / '1.log').write_text('    GPU 0,1: NVIDIA H100 80GB HBM3\n')
    assert of_device(tmp_path) == {
        'device': 'NVIDIA H100 80GB HBM3',
        'peak_memory_mb': 1200,
    }
