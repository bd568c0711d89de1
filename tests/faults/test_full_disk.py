"""A disk that is full: what was finished stays, and goes on when there is room."""

import os
import resource
import subprocess

import numpy as np
import pytest
from mmengine.runner import IterBasedTrainLoop
from PIL import Image

from mmseg_jml.checkpoints import latest_checkpoint, load_from_file
from mmseg_jml.datasets.convert import Conversion, convert_masks
from tests.faults.children import instead, run, training

OPTIONS = ('train_cfg.max_iters=8', 'default_hooks.checkpoint.interval=4')
pytestmark = pytest.mark.filterwarnings('ignore:.*multi-threaded:DeprecationWarning')


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 500 kB, where this user may mount one."""
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=500k', 'tmpfs', str(tmp_path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f'no small disk: {mounted.stderr.decode().strip()}')
    yield tmp_path
    subprocess.run(['umount', str(tmp_path)], check=True)


def fill(disk):
    """Leave 20 kB: enough for a log, half a checkpoint."""
    left = os.statvfs(disk)
    (disk / 'filler').write_bytes(bytes(left.f_bavail * left.f_bsize - 20_000))


def test_a_training_on_a_full_disk_names_the_checkpoint_and_goes_on_later(small_disk):
    work_dir, log = small_disk / 'run', small_disk / 'log'

    def fills_up():
        def iteration(loop, batch):
            fill(small_disk)
            run_iter(loop, batch)

        run_iter = IterBasedTrainLoop.run_iter
        with instead(IterBasedTrainLoop, 'run_iter', 5, iteration):
            training(work_dir, *OPTIONS)

    assert run(fills_up, log) == 1
    last = log.read_text().splitlines()[-1]
    assert 'No space left on device' in last
    assert str(work_dir / 'iter_8.pth') in last
    assert [path.name for path in work_dir.glob('*.pth')] == ['iter_4.pth']
    (small_disk / 'filler').unlink()
    status = run(lambda: training(work_dir, *OPTIONS, flags=('--resume',)), log)
    assert status == 0, log.read_text()[-2000:]
    assert load_from_file(work_dir / 'iter_8.pth')['meta']['iter'] == 8


def test_a_training_past_a_limit_of_size_keeps_the_checkpoint_before(tmp_path):
    work_dir = tmp_path / 'run'

    def limited():
        def iteration(loop, batch):
            size = (work_dir / 'iter_4.pth').stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
            run_iter(loop, batch)

        run_iter = IterBasedTrainLoop.run_iter
        with instead(IterBasedTrainLoop, 'run_iter', 5, iteration):
            training(work_dir, *OPTIONS)

    assert run(limited, tmp_path / 'log') == 1
    last = (tmp_path / 'log').read_text().splitlines()[-1]
    assert 'File too large' in last
    assert str(work_dir / 'iter_8.pth') in last
    assert [path.name for path in work_dir.glob('*.pth')] == ['iter_4.pth']
    assert latest_checkpoint(work_dir) == work_dir / 'iter_4.pth'


def test_a_converter_on_a_full_disk_names_the_masks_and_goes_on_later(small_disk):
    label = np.random.default_rng(0).integers(0, 255, (200, 300), np.uint8)
    jobs = []
    for name in 'abcd':
        mask, picture = (small_disk / f'{name}_{what}.png' for what in ('m', 'p'))
        Image.new('L', (300, 200)).save(mask)
        Image.new('RGB', (300, 200)).save(picture)
        jobs.append(Conversion(mask, small_disk / 'labels' / f'{name}.png', picture))
    (small_disk / 'filler').write_bytes(bytes(300_000))
    problems = convert_masks(jobs, lambda path: label, workers=1)
    written = [job for job in jobs if job.label.exists()]
    assert 0 < len(written) < len(jobs)
    assert len(problems) == len(jobs) - len(written)
    for sentence, job in zip(problems, jobs[len(written) :], strict=True):
        assert str(job.mask) in sentence
        assert 'No space left on device' in sentence
    (small_disk / 'filler').unlink()
    assert convert_masks(jobs, lambda path: label, workers=1) == []
    for job in jobs:
        np.testing.assert_array_equal(np.array(Image.open(job.label)), label)
