"""Every model of the tree takes a step of its recipe and predicts."""

import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmseg_jml  # noqa: F401 registers everything
from tests.configs.tree import BASES, CONFIGS, load

NUM_CLASSES = 5
SIZE = (49, 65)
OPTIONAL = ('timm', 'mmpretrain')
FILES = [
    path
    for path in BASES
    if path.parent.name == 'models'
    and 'decode_head' in load(path).model
    and not any(library in path.stem for library in OPTIONAL)
]


def build(path, loss='jml-bls', size=SIZE):
    """The segmentor of a file with untrained weights, a loss and few classes."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = copy.deepcopy(load(path).model)
    losses = load(CONFIGS / '_base_' / 'losses' / f'{loss}.py')
    names = ['loss_main', 'loss_aux'] if 'auxiliary_head' in model else ['loss_decode']
    for head, name in zip(('decode_head', 'auxiliary_head'), names, strict=False):
        model[head].update(num_classes=NUM_CLASSES, loss_decode=losses[name])
    model.pretrained = None
    model.data_preprocessor.size = size
    # Windows of odd sizes, smaller and larger than the picture.
    model.test_cfg = dict(mode='slide', crop_size=(33, 91), stride=(22, 61))
    return MODELS.build(model)


def data(size=SIZE, number=2):
    """A batch as a data loader gives it."""
    generator = torch.Generator().manual_seed(0)
    pictures = [
        torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8)
        for _ in range(number)
    ]
    labels = torch.randint(0, NUM_CLASSES, (number, 1, *size), generator=generator)
    labels[:, :, :3] = 255
    meta = dict(img_shape=size, ori_shape=size, pad_shape=size)
    samples = [
        SegDataSample(gt_sem_seg=PixelData(data=label), metainfo=dict(meta))
        for label in labels
    ]
    return dict(inputs=pictures, data_samples=samples)


@pytest.fixture(scope='module', params=FILES, ids=lambda path: path.stem)
def model(request):
    return build(request.param)


def test_a_step_reaches_every_parameter(model):
    losses = model.loss(**model.data_preprocessor(data(), training=True))
    loss, logged = model.parse_losses(losses)
    assert {name for name in logged if name.startswith('decode.loss')} == {
        'decode.loss_ce',
        'decode.loss_jml',
    }
    assert 'aux.loss_jml' not in logged
    loss.backward()
    assert loss.isfinite()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_a_validation_predicts_every_pixel(model):
    model.eval()
    (sample,) = model.val_step(data(number=1))
    assert sample.pred_sem_seg.data.shape == (1, *SIZE)
    assert sample.seg_logits.data.shape == (NUM_CLASSES, *SIZE)
    assert sample.seg_logits.data.isfinite().all()


def test_the_papers_groups_of_parameters(model):
    schedule = load(CONFIGS / '_base_' / 'schedules' / 'paper_40k.py')
    optimizer = build_optim_wrapper(model, schedule.optim_wrapper).optimizer
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in optimizer.param_groups:
        (parameter,) = group['params']
        name = names.pop(id(parameter))
        assert group['lr'] == pytest.approx(0.01 if 'backbone' in name else 0.1), name
        assert group['weight_decay'] == (0 if parameter.ndim == 1 else 5e-4), name
    assert not names
