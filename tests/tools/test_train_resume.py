"""A training that is killed goes on where it stood."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.processes import ROOT, environment, run_python

MAX_ITERS = 100
COMMAND = (
    ROOT / 'tools' / 'train.py',
    ROOT / 'tests' / 'tools' / 'tiny.py',
    '--cfg-options',
    f'train_cfg.max_iters={MAX_ITERS}',
)


def kill_after_checkpoint(name, folder):
    """Start the training in `folder`, kill it as soon as checkpoint `name` is there."""
    command = [sys.executable, *map(str, COMMAND)]
    with (folder / 'log').open('w') as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=log, stderr=log
        )
    last = folder / 'work_dirs' / 'tiny' / 'last_checkpoint'
    deadline = time.monotonic() + 120
    while not (last.exists() and last.read_text().endswith(name)):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f'no {name}: {(folder / "log").read_text()[-2000:]}')
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    return process.wait()


def checkpoint(folder, iteration):
    from mmengine.runner import CheckpointLoader

    path = folder / 'work_dirs' / 'tiny' / f'iter_{iteration}.pth'
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """The folders of an uninterrupted run and of one that was killed and resumed."""
    whole, killed = (tmp_path_factory.mktemp(name) for name in ('whole', 'killed'))
    done = run_python(*COMMAND, cwd=whole)
    assert done.returncode == 0, done.stderr
    assert kill_after_checkpoint('iter_20.pth', killed) == -signal.SIGKILL
    # Nothing is to be resumed from a run that came to its end before the signal.
    assert not (killed / f'work_dirs/tiny/iter_{MAX_ITERS}.pth').exists()
    done = run_python(*COMMAND, '--resume', cwd=killed)
    assert done.returncode == 0, done.stderr
    return whole, killed


def test_a_killed_run_ends_at_the_same_iteration(runs):
    assert [checkpoint(run, MAX_ITERS)['meta']['iter'] for run in runs] == [100, 100]


def test_a_killed_run_leaves_the_same_checkpoints(runs):
    whole, killed = (
        {path.name for path in (run / 'work_dirs' / 'tiny').glob('*.pth')}
        for run in runs
    )
    assert whole == killed


def test_a_killed_run_ends_with_the_same_weights(runs):
    whole, killed = (checkpoint(run, MAX_ITERS)['state_dict'] for run in runs)
    torch.testing.assert_close(killed, whole, rtol=0, atol=0)
