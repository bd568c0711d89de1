"""Killed and interrupted runners leave what the next one goes on with."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmseg_jml.experiments.run.execution import execute
from mmseg_jml.experiments.run.process import memory
from mmseg_jml.experiments.run.state import read_state, try_lock, write_state
from tests.experiments.stubs import (
    calls,
    go,
    leave_checkpoint,
    runs_of,
    use_stub,
    write_plan,
)

DRIVE = Path(__file__).parent / 'drive.py'


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
    assert 'b/seed-0 is waiting for another process' in lines[1]
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


def test_a_lock_waited_for_may_bring_a_finished_run(tmp_path):
    (run, _) = runs_of(write_plan(tmp_path))
    steps = execute(run, say=lambda line: None)
    with try_lock(run.folder):
        next(steps)
        leave_checkpoint(run.folder, 'iter_2.pth')
        write_state(run.folder, {'state': 'done'})
    assert list(steps) == []
    assert calls(run)[0] == []


def test_memory_counts_the_children(tmp_path):
    code = 'import time; held = bytearray(range(256)) * 400000; time.sleep(60)'
    parent = f'import subprocess, sys; subprocess.run([sys.executable, "-c", {code!r}])'
    process = subprocess.Popen([sys.executable, '-c', parent], start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while (memory(process.pid) or 0) < 100e6 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert 100e6 < memory(process.pid) < 200e6
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
