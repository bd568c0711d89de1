"""Several gloo processes with `sync` are one process that holds the whole batch."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from mmseg_jml.losses import CompoundLoss
from tests.losses.cases import case

REDUCTIONS = {
    'batch': dict(batch=1.0),
    'image': dict(image=1.0),
    'per_class': dict(per_class=1.0),
    'all': dict(batch=0.5, image=0.25, per_class=0.25),
}
IMAGES = 6


def images_and_labels():
    """Six images; class 4 only in the first, the last two wholly ignored."""
    images = torch.randn(
        IMAGES,
        3,
        9,
        11,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(3),
    )
    label = case(n=IMAGES, c=4, seed=4)[1]
    label[0, 5:] = 4
    label[-2:] = 255
    return images, label


def network(reduction, mode, *, sync):
    torch.manual_seed(0)
    parts = [
        dict(type='SoftCrossEntropyLoss', class_weight=[1, 2, 3, 4, 5.0], sync=sync),
        dict(
            type='JaccardMetricLoss',
            reduction=reduction,
            active_classes=mode,
            threshold=0.3,
            sync=sync,
        ),
    ]
    loss = CompoundLoss(
        losses=parts, label_smoothing=dict(type='BoundaryLabelSmoothing')
    )
    return nn.Conv2d(3, 5, 3, padding=1, dtype=torch.float64), loss


def loss_and_gradients(net, loss, images, label, amp=False):
    with torch.autocast('cpu', torch.bfloat16, enabled=amp):
        value = loss(net(images), label)
    value.backward()
    module = net.module if isinstance(net, DistributedDataParallel) else net
    return [value.detach(), *(p.grad.clone() for p in module.parameters())]


def worker(rank, world, port, results, sync):
    dist.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=world
    )
    torch.set_num_threads(1)
    images, label = images_and_labels()
    share = slice(rank * IMAGES // world, (rank + 1) * IMAGES // world)
    for name, reduction in REDUCTIONS.items():
        for mode in ('label', 'both'):
            net, loss = network(reduction, mode, sync=sync)
            net = DistributedDataParallel(net)
            found = loss_and_gradients(net, loss, images[share], label[share])
            if rank == 0:
                results[name, mode] = [each.numpy() for each in found]
            del net, loss
    net, loss = network(REDUCTIONS['batch'], 'label', sync=sync)
    net = DistributedDataParallel(net.float())
    half = loss_and_gradients(net, loss, images[share].float(), label[share], amp=True)
    if rank == 0:
        results['amp'] = [each.numpy() for each in half]
    del net, loss
    dist.barrier()
    results['done', rank] = True
    dist.destroy_process_group()


def on_ranks(world, sync, port):
    """What rank 0 of `world` processes finds, by reduction and mode."""
    with mp.Manager() as manager:
        results = manager.dict()
        ranks = mp.spawn(worker, (world, port, results, sync), world, join=False)
        done = {('done', rank) for rank in range(world)}
        for _ in range(240):  # join raises what a rank raised
            if ranks.join(timeout=0.5) or done <= set(results.keys()):
                break
        found = dict(results)
        for process in ranks.processes:  # gloo may hang when it is torn down
            process.kill()
            process.join()
        assert done <= set(found), 'a rank did not finish'
        return found


def alone():
    """What one process finds that holds the whole batch."""
    images, label = images_and_labels()
    return {
        (name, mode): loss_and_gradients(
            *network(reduction, mode, sync=True), images, label
        )
        for name, reduction in REDUCTIONS.items()
        for mode in ('label', 'both')
    }


@pytest.mark.parametrize('world', [2, 3])  # with 3 the last rank is wholly ignored
def test_synced_ranks_are_one_process(world, port):
    ranks, single = on_ranks(world, True, port), alone()
    for key, expected in single.items():
        for ours, theirs in zip(ranks[key], expected, strict=True):
            assert_close(
                torch.from_numpy(ours).view_as(theirs), theirs, rtol=0, atol=1e-10
            )


def test_synced_ranks_are_one_process_in_mixed_precision(port):
    images, label = images_and_labels()
    net, loss = network(REDUCTIONS['batch'], 'label', sync=True)
    single = loss_and_gradients(net.float(), loss, images.float(), label, amp=True)
    for ours, theirs in zip(on_ranks(2, True, port)['amp'], single, strict=True):
        # bfloat16 has three digits, and each rank rounds its own share of the gradient
        ours = torch.from_numpy(ours).view_as(theirs)
        assert (ours - theirs).abs().max() < 0.01 * theirs.abs().max()


def test_unsynced_ranks_are_not(port):
    ranks, single = on_ranks(2, False, port), alone()
    ours, theirs = (found['batch', 'label'][1] for found in (ranks, single))
    difference = torch.from_numpy(ours) - theirs
    assert difference.abs().max() > 0.01 * theirs.abs().max()
