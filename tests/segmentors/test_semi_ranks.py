"""Two gloo processes hold the same teacher and learn as one that holds the batch."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.optim import OptimWrapper
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from tests.processes import free_port
from tests.segmentors.distilled import build, total
from tests.segmentors.semi_supervised import branches, semi_config

IMAGES, STEPS = 4, 3
LOSSES = [
    {'type': 'SoftCrossEntropyLoss', 'loss_weight': 0.25, 'sync': True},
    {'type': 'JaccardMetricLoss', 'loss_weight': 0.75, 'sync': True},
]


class Trained(nn.Module):
    """The loss of a segmentor as the forward pass that DDP wraps."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, inputs, samples):
        return total(self.model(inputs, samples, mode='loss'))


def segmentor(*, statistics, with_cp=False):
    """In float64; batch normalization by the batch's `statistics` or by none."""
    cfg = semi_config(
        {'loss': {'type': 'CompoundLoss', 'losses': LOSSES}, 'views': {'strong': 1.0}},
        pseudo_label={'threshold': 0.27, 'temperature': 0.5},
        ema={'type': 'ExponentialMovingAverage', 'momentum': 0.3},
    )
    cfg.decode_head.loss_decode = {'type': 'JaccardMetricLoss', 'sync': True}
    cfg.backbone.with_cp = with_cp
    model = build(cfg).double().train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and not statistics:
            module.eval()
    return model


def train(model, wrapped, share=slice(None)):
    """Take some steps on a share of each batch; the state, as arrays."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optim = OptimWrapper(torch.optim.SGD(parameters, lr=0.5))
    for step in range(STEPS):
        inputs, samples = branches(IMAGES, seed=step, double=True)
        inputs = {branch: each[share] for branch, each in inputs.items()}
        samples = {branch: each[share] for branch, each in samples.items()}
        optim.update_params(wrapped(inputs, samples))
    return {key: value.numpy() for key, value in model.state_dict().items()}


def worker(rank, port, results):
    dist.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    torch.set_num_threads(1)
    half = slice(rank * IMAGES // 2, (rank + 1) * IMAGES // 2)
    for statistics in (False, True):
        model = segmentor(statistics=statistics)
        wrapped = DistributedDataParallel(Trained(model), broadcast_buffers=False)
        results[statistics, rank] = train(model, wrapped, half)
        del model, wrapped
    model = segmentor(statistics=False, with_cp=True)
    wrapped = DistributedDataParallel(
        Trained(model), broadcast_buffers=False, static_graph=True
    )
    results['checkpointed', rank] = train(model, wrapped, half)
    del model, wrapped
    dist.barrier()
    results['done', rank] = True
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def on_ranks():
    """The states of both ranks."""
    with mp.Manager() as manager:
        results = manager.dict()
        ranks = mp.spawn(worker, (free_port(), results), 2, join=False)
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


def states(on_ranks, kind):
    """Of both ranks, as tensors."""
    return [
        {k: torch.from_numpy(v) for k, v in on_ranks[kind, rank].items()}
        for rank in (0, 1)
    ]


def test_both_ranks_hold_the_same_teacher_though_their_statistics_differ(on_ranks):
    first, second = states(on_ranks, True)
    mean = 'backbone.encoder.0.0.convs.0.bn.running_mean'
    assert not torch.equal(first[mean], second[mean])
    for key, value in first.items():
        if key.startswith('teacher.'):
            assert torch.equal(value, second[key]), key


def test_the_ranks_are_one_process_that_holds_the_batch(on_ranks):
    model = segmentor(statistics=False)
    train(model, Trained(model))
    first, second = states(on_ranks, False)
    for key, value in model.state_dict().items():
        assert_close(first[key], value, rtol=1e-8, atol=1e-9, msg=key)
        assert torch.equal(first[key], second[key]), key
    start = segmentor(statistics=False).state_dict()
    name = 'teacher.module.decode_head.conv_seg.weight'
    assert (first[name] - start[name]).abs().max() > 1e-4


def test_a_checkpointed_backbone_learns_the_same_with_a_static_graph(on_ranks):
    (plain, _), (checkpointed, _) = (
        states(on_ranks, kind) for kind in (False, 'checkpointed')
    )
    for key, value in plain.items():
        assert_close(checkpointed[key], value, rtol=1e-8, atol=1e-9, msg=key)
