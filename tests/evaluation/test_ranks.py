"""Two gloo processes collect what one process counts, padded duplicates cut."""

import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mmseg_jml.evaluation import CalibrationMetric, FineGrainedIoUMetric
from tests.evaluation.cases import CLASSES, samples

WORLD, PICTURES = 2, 5


def metrics():
    calibration = CalibrationMetric(
        image_level=True, class_wise=True, per_class=True, adaptive=True, bootstrap=20
    )
    return [calibration, FineGrainedIoUMetric(worst_percent=(50,))]


def evaluate_part(pictures):
    """What the metrics give for this process's pictures, one a batch."""
    found = {}
    for metric in metrics():
        metric.dataset_meta = {'classes': CLASSES}
        for picture in pictures:
            metric.process({}, [picture])
        found |= metric.evaluate(size=PICTURES)
    return found


def worker(rank, port, folder, results):
    os.chdir(folder)  # where MMEngine collects
    dist.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=WORLD
    )
    torch.set_num_threads(1)
    pictures = samples(PICTURES)
    # As DefaultSampler does it: rounded up by the first pictures, then interleaved.
    padded = pictures + pictures[:1]
    results[rank] = evaluate_part(padded[rank::WORLD])
    dist.barrier()
    results['done', rank] = True
    dist.destroy_process_group()


@pytest.fixture
def on_ranks(tmp_path, port):
    """What each process finds."""
    with mp.Manager() as manager:
        results = manager.dict()
        ranks = mp.spawn(worker, (port, str(tmp_path), results), WORLD, join=False)
        done = {('done', rank) for rank in range(WORLD)}
        for _ in range(240):  # join raises what a rank raised
            if ranks.join(timeout=0.5) or done <= set(results.keys()):
                break
        found = dict(results)
        for process in ranks.processes:  # gloo may hang when it is torn down
            process.kill()
            process.join()
        assert done <= set(found), 'a rank did not finish'
        return found


def test_ranks_find_what_one_process_finds(on_ranks):
    alone = evaluate_part(samples(PICTURES))
    assert on_ranks[0] == alone
    assert on_ranks[1] == alone
