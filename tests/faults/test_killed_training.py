"""A training that is killed loses nothing finished, and leaves nothing half-written."""

import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.runner import ValLoop
from mmseg.evaluation import IoUMetric

from mmseg_jml.checkpoints import latest_checkpoint, load_from_file
from tests.faults.children import ALWAYS, die, instead, run, training

OPTIONS = (
    'train_cfg.max_iters=8',
    'train_cfg.val_interval=4',
    'default_hooks.checkpoint.interval=4',
    'default_hooks.checkpoint.max_keep_ckpts=1',
    'default_hooks.checkpoint.save_best=mIoU',
)
pytestmark = pytest.mark.filterwarnings('ignore:.*multi-threaded:DeprecationWarning')


def improving(folder, flags=()):
    """Train; each validation finds a better score than the one before."""

    def score(metric, results):
        return {'mIoU': MessageHub.get_current_instance().get_info('iter')}

    with instead(IoUMetric, 'compute_metrics', ALWAYS, score):
        training(folder, *OPTIONS, flags=flags)


def write_half_and_die(path, data):
    with path.open('wb') as file:
        file.write(data[: len(data) // 2])
    die()


def unlink_and_die(path, **_):
    os.unlink(path)
    die()


# What is written: a checkpoint, the best, the checkpoint again with the best's score;
# then the same, and what is old goes. Beside each fault: the whole files it may leave.
FIRST, BEST = 'iter_4.pth', 'best_mIoU_iter_4.pth'
LAST, BETTER = 'iter_8.pth', 'best_mIoU_iter_8.pth'
FAULTS = {
    'the first checkpoint': ((Path, 'write_bytes', 1, write_half_and_die), set()),
    'validation': ((ValLoop, 'run_iter', 2, die), {FIRST}),
    'the first best': ((Path, 'write_bytes', 2, write_half_and_die), {FIRST}),
    'a checkpoint again': (
        (Path, 'write_bytes', 3, write_half_and_die),
        {FIRST, BEST},
    ),
    'the second checkpoint': (
        (Path, 'write_bytes', 4, write_half_and_die),
        {FIRST, BEST},
    ),
    'a note of what is gone': ((Path, 'unlink', 5, unlink_and_die), {LAST, BEST}),
    'the second best': ((Path, 'write_bytes', 5, write_half_and_die), {LAST, BEST}),
}


def weights(folder, name):
    return load_from_file(folder / name)['state_dict']


def checkpoints(folder):
    return {path.name for path in folder.glob('[!.]*.pth')}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp('whole')
    assert run(lambda: improving(folder), folder / 'log') == 0
    # The faults are about a best that a better one takes the place of.
    assert checkpoints(folder) == {LAST, BETTER}
    return folder


@pytest.fixture(scope='module', params=FAULTS)
def killed(request, tmp_path_factory):
    """The folder of a run that was killed, and the whole files that it has to hold."""
    folder = tmp_path_factory.mktemp('killed')
    fault, expected = FAULTS[request.param]

    def job():
        with instead(*fault):
            improving(folder)

    assert run(job, folder / 'log') == -signal.SIGKILL
    return folder, expected


def test_what_was_finished_is_there_and_nothing_half_written(killed):
    folder, expected = killed
    assert checkpoints(folder) == expected
    assert all(weights(folder, name) for name in expected)


def test_it_goes_on_to_the_end_of_a_run_that_was_not_killed(killed, whole):
    folder, expected = killed
    if not expected & {FIRST, BEST}:
        assert latest_checkpoint(folder) is None
    status = run(lambda: improving(folder, ('--resume',)), folder / 'log')
    assert status == 0, (folder / 'log').read_text()[-2000:]
    assert weights(folder, LAST)
    torch.testing.assert_close(
        weights(folder, LAST), weights(whole, LAST), rtol=0, atol=0
    )
