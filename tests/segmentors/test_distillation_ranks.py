"""Two gloo processes with `sync` learn from a teacher as one that holds the batch."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from tests.segmentors.distilled import (
    JML_KD,
    KL,
    batch,
    build,
    student_config,
    total,
    write_teacher,
)

IMAGES = 4


class Trained(nn.Module):
    """The loss of a segmentor as the forward pass that DDP wraps."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, inputs, samples):
        return total(self.model(inputs, samples, mode='loss'))


def student(checkpoint, *, sync):
    """A student in float64 whose statistics are of no batch."""
    cfg = student_config(checkpoint)
    cfg.decode_head.loss_decode = dict(type='JaccardMetricLoss', sync=sync)
    cfg.distill_losses = [dict(each, sync=sync) for each in (KL, JML_KD)]
    model = build(cfg).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return Trained(model)


def gradients(module, share=slice(None)):
    inputs, samples = batch(IMAGES)
    for index, sample in enumerate(samples):  # the ranks see other classes
        label = sample.gt_sem_seg.data
        label[label < 4] %= index + 1
    value = module(inputs[share].double(), samples[share])
    value.backward()
    return [
        value.detach(),
        *(p.grad for p in module.parameters() if p.grad is not None),
    ]


def worker(rank, port, checkpoint, results):
    dist.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    torch.set_num_threads(1)
    half = slice(rank * IMAGES // 2, (rank + 1) * IMAGES // 2)
    for sync in (True, False):
        module = DistributedDataParallel(student(checkpoint, sync=sync))
        found = gradients(module, half)
        if rank == 0:
            results[sync] = [each.numpy() for each in found]
        del module
    dist.barrier()
    results['done', rank] = True
    dist.destroy_process_group()


# The teacher's logits are half as large as the label, aligned at the corners.
pytestmark = pytest.mark.filterwarnings('ignore:When align_corners=True:UserWarning')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return write_teacher(tmp_path_factory.mktemp('teacher'))


@pytest.fixture
def on_ranks(checkpoint, port):
    """What rank 0 of two finds, by `sync`."""
    with mp.Manager() as manager:
        results = manager.dict()
        ranks = mp.spawn(worker, (port, checkpoint, results), 2, join=False)
        done = {('done', 0), ('done', 1)}
        for _ in range(240):  # join raises what a rank raised
            if ranks.join(timeout=0.5) or done <= set(results.keys()):
                break
        found = dict(results)
        for process in ranks.processes:  # gloo may hang when it is torn down
            process.kill()
            process.join()
        assert done <= set(found), 'a rank did not finish'
        return found


def test_two_synced_ranks_are_one_process_and_unsynced_ones_are_not(
    on_ranks, checkpoint
):
    single = gradients(student(checkpoint, sync=True))
    for ours, theirs in zip(on_ranks[True], single, strict=True):
        expected = torch.from_numpy(ours).view_as(theirs)
        assert_close(expected, theirs, rtol=1e-8, atol=1e-9)
    differences = [
        (torch.from_numpy(ours).view_as(theirs) - theirs).abs().max()
        for ours, theirs in zip(on_ranks[False], single, strict=True)
    ]
    assert max(differences) > 1e-4
