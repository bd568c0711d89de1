"""Runs as jobs: submitit's local executor stands in for Slurm."""

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmseg_jml.experiments.run.runner import Runner
from mmseg_jml.experiments.run.slurm import make_executor, submit
from mmseg_jml.experiments.run.state import read_state, try_lock, write_state
from tests.experiments.stubs import calls, runs_of, states, use_stub, write_plan

pytest.importorskip('submitit')
# submitit leaves its local jobs to the garbage collector.
pytestmark = pytest.mark.filterwarnings('ignore:subprocess .* is still running')


def executor(tmp_path, **keys):
    work = tmp_path / 'work'
    return make_executor(work, 'gpu', gpus=0, cluster='local', **keys)


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A teacher, its student and a cell that breaks, run as jobs; what was said."""
    folder = tmp_path_factory.mktemp('finished')
    base = str(folder / 'base.py')
    student = {'config': str(folder / 'student.py'), 'teacher': 't'}
    cells = {'s': student, 't': base, 'broken': base}
    runs = runs_of(write_plan(folder, cells=cells))
    lines = []
    jobs = executor(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_stub(monkeypatch, STUB_BREAK='/broken/')
        runner = Runner(
            runs,
            lambda run, place, say: submit(jobs, run, gpus=1, say=say),
            jobs=3,
            say=lines.append,
        )
        assert not runner.run()
    return runs, lines


def test_each_run_is_a_job(finished):
    runs, lines = finished
    assert sum('was submitted as job ' in line for line in lines) == 3
    assert calls(runs[0])[0] == ['train', 'test']


def test_a_student_waits_for_its_teachers_job(finished):
    teacher, student, _ = (read_state(run.folder) for run in finished[0])
    assert (teacher['state'], student['state']) == ('done', 'done')
    assert teacher['finished'] <= student['started']


def test_a_failing_job_is_told_and_the_rest_goes_on(finished):
    runs, lines = finished
    assert states(runs)['broken/seed-0'] == 'failed'
    assert any('broken/seed-0 failed: it is broken' in line for line in lines)


def wait_for(path, steps):
    deadline = time.monotonic() + 60
    while not path.exists():
        next(steps)
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_that_says_nothing_of_its_end_has_failed(tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    write_state(run.folder, {'state': 'running', 'attempts': 2})
    job = SimpleNamespace(
        job_id='17', state='NODE_FAIL', done=lambda: True, stderr=lambda: 'lost'
    )
    jobs = SimpleNamespace(update_parameters=lambda **_: None, submit=lambda _: job)
    assert list(submit(jobs, run, gpus=1, say=lambda line: None)) == []
    state = read_state(run.folder)
    assert (state['state'], state['attempts']) == ('failed', 2)
    assert state['reason'] == 'job 17 ended (NODE_FAIL):\nlost'


def test_a_job_that_died_before_it_began_does_not_tell_of_an_earlier_end(tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    write_state(run.folder, {'state': 'failed', 'reason': 'old', 'attempts': 1})
    job = SimpleNamespace(
        job_id='18', state='NODE_FAIL', done=lambda: True, stderr=lambda: None
    )
    jobs = SimpleNamespace(update_parameters=lambda **_: None, submit=lambda _: job)
    list(submit(jobs, run, gpus=1, say=lambda line: None))
    assert read_state(run.folder)['reason'] == 'job 18 ended (NODE_FAIL):'


def test_an_ended_runner_cancels_its_jobs(monkeypatch, tmp_path):
    use_stub(monkeypatch, STUB_PAUSE=0.3)
    (run, _) = runs_of(write_plan(tmp_path, overrides={'train_cfg.max_iters': 99}))
    steps = submit(executor(tmp_path), run, gpus=1, say=lambda line: None)
    wait_for(run.folder / 'iter_1.pth', steps)
    steps.close()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with try_lock(run.folder) as lock:
            if lock is not None:
                return
        time.sleep(0.1)
    pytest.fail('the training still holds its run')


def test_a_job_at_its_time_limit_is_queued_again_and_goes_on(monkeypatch, tmp_path):
    use_stub(monkeypatch, STUB_PAUSE=0.3)
    (run, _) = runs_of(write_plan(tmp_path, overrides={'train_cfg.max_iters': 8}))
    jobs = executor(tmp_path)
    submitted = []

    class Spy:
        update_parameters = jobs.update_parameters

        def submit(self, job):
            submitted.append(jobs.submit(job))
            return submitted[0]

    steps = submit(Spy(), run, gpus=1, say=lambda line: None)
    wait_for(run.folder / 'iter_2.pth', steps)
    (task,) = (int(p) for p in children(submitted[0].job_id))
    os.kill(task, signal.SIGUSR2)
    for _ in steps:
        time.sleep(0.05)
    assert states([run]) == {'a/seed-0': 'done'}
    jobs_called, noted = calls(run)
    assert jobs_called == ['train', 'train', 'test']
    assert '--resume' in noted[1]['words']


def children(pid):
    return Path(f'/proc/{pid}/task/{pid}/children').read_text().split()


def test_without_submitit_it_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'submitit', None)
    with pytest.raises(ImportError, match='`pip install submitit`'):
        executor(tmp_path)


@pytest.mark.parametrize(
    ('option', 'sentence'),
    [
        (
            'timeout_min',
            "`--slurm-options` must be of the form KEY=VALUE, got 'timeout_min'",
        ),
        ('nothing_at_all=1', 'submitit: .*nothing'),
        ('timeout_min=long', 'submitit: .*timeout_min'),
    ],
)
def test_an_option_that_submitit_does_not_know_is_refused(tmp_path, option, sentence):
    with pytest.raises(ValueError, match=sentence):
        executor(tmp_path, options=[option])
