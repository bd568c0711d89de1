"""A rank that dies or hangs: the others end with an error, and do not wait for ever."""

import os
import signal
import subprocess
import sys
import time

import pytest
from mmengine.runner import IterBasedTrainLoop

from mmseg_jml.cli import preflight
from tests.faults.children import ALWAYS, TINY, finish, instead, start, training
from tests.processes import environment

SECONDS = 10  # that a rank waits for the other, also to begin
GLOO = ('train_cfg.max_iters=200', 'env_cfg.dist_cfg.backend=gloo')
OPTIONS = (*GLOO, f'env_cfg.dist_cfg.timeout={SECONDS}')
pytestmark = pytest.mark.filterwarnings('ignore:.*multi-threaded:DeprecationWarning')


@pytest.fixture
def ranks(port, tmp_path):
    """Start two ranks; in the third iteration the second sends itself a signal."""
    children = []

    def begin(fault):
        def job(rank):
            os.environ |= {
                'RANK': str(rank),
                'LOCAL_RANK': str(rank),
                'WORLD_SIZE': '2',
                'MASTER_ADDR': '127.0.0.1',
                'MASTER_PORT': port,
                'MKL_NUM_THREADS': '1',  # else mmengine warns
            }
            call = 3 if rank else 0
            send = lambda *_: os.kill(os.getpid(), fault)  # noqa: E731
            with (
                instead(IterBasedTrainLoop, 'run_iter', call or 10**6, send),
                # The first rank's look at the data would have the other wait for it.
                instead(preflight, 'check_data_sets', ALWAYS, lambda cfg: None),
            ):
                training(tmp_path, *OPTIONS, flags=('--launcher', 'pytorch'))

        for rank in range(2):
            log = tmp_path / f'log{rank}'
            children.append(start(lambda rank=rank: job(rank), log))
        return children

    yield begin
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):  # it was waited for
            continue


@pytest.mark.parametrize('fault', [signal.SIGKILL, signal.SIGSTOP])
def test_the_other_rank_ends_with_an_error(ranks, fault, tmp_path):
    first, second = ranks(fault)
    _, status = os.waitpid(second, os.WUNTRACED)
    assert fault in (os.WSTOPSIG(status), os.WTERMSIG(status)), (
        tmp_path / 'log1'
    ).read_text()[-2000:]
    began = time.monotonic()
    assert finish(first, seconds=60) == 1
    waited = time.monotonic() - began
    assert 'gloo' in (tmp_path / 'log0').read_text()
    if fault is signal.SIGSTOP:
        assert waited > SECONDS / 2  # it is the timeout that ended it


DYING = """
import os, signal, sys
from mmengine.runner import IterBasedTrainLoop
from mmseg_jml.cli.launch import run_training
if os.environ['RANK'] == '1':
    IterBasedTrainLoop.run_iter = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
run_training(sys.argv[1:])
"""


def test_torchrun_ends_all_ranks_when_one_dies(port, tmp_path):
    (tmp_path / 'dying.py').write_text(DYING)
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2']
    command += [f'--master_port={port}', 'dying.py', str(TINY)]
    command += ['--work-dir', 'run', '--launcher', 'pytorch', '--cfg-options', *GLOO]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**environment(), 'CUDA_VISIBLE_DEVICES': '-1'},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert 'Signal 9 (SIGKILL)' in done.stderr
    assert not (tmp_path / 'run' / 'iter_200.pth').exists()
