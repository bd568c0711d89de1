"""A tiny student that is its own teacher, and batches for it."""

import torch
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from tests.segmentors.distilled import CLASSES, SIZE, plain_config

CE = {'type': 'SoftCrossEntropyLoss', 'loss_weight': 0.25}
JML = {'type': 'JaccardMetricLoss', 'loss_weight': 0.75}
COMPOUND = {'type': 'CompoundLoss', 'losses': [CE, JML]}
FIXMATCH = {
    'loss': COMPOUND,
    'views': {'strong': 1.0},
}
UNIMATCH = {
    **FIXMATCH,
    'views': {'strong': 0.25, 'strong_2': 0.25, 'features': 0.5},
    'cutmix': 0.5,
}
CONSTANT = {'type': 'ExponentialMovingAverage', 'momentum': 0.3}


def semi_config(unlabelled=None, **changes):
    """The tiny model that learns from unlabelled pictures, too."""
    cfg = plain_config()
    cfg.update(
        type='SemiEncoderDecoder',
        unlabelled=unlabelled or FIXMATCH,
        pseudo_label={'threshold': 0.3},
    )
    cfg.data_preprocessor.type = 'SemiSegDataPreprocessor'
    for key, value in changes.items():  # `update` would merge dicts
        cfg[key] = value
    return cfg


def sample(label, **meta):
    """A data sample of a label map (H,W)."""
    return SegDataSample(gt_sem_seg=PixelData(data=label[None]), metainfo=meta)


def branches(number=2, seed=0, strong=2, truth=None, double=False):
    """Normalized pictures of all branches; a corner of the weak ones is padding."""
    generator = torch.Generator().manual_seed(seed)

    def pictures():
        return torch.randn(number, 3, *SIZE, generator=generator)

    label, hidden = torch.randint(0, CLASSES, (2, number, *SIZE), generator=generator)
    label[:, :4] = 255
    if truth is not None:
        hidden = torch.full_like(hidden, truth)
    hidden[:, -8:, -8:] = 255
    inputs = {'labelled': pictures(), 'weak': pictures()}
    inputs |= {name: pictures() for name in ('strong', 'strong_2')[:strong]}
    if double:
        inputs = {name: each.double() for name, each in inputs.items()}
    samples = {
        'labelled': [sample(each) for each in label],
        'weak': [sample(each, has_label=truth is None) for each in hidden],
    }
    return inputs, samples


def student_state(model):
    """A copy of what a plain checkpoint would hold."""
    state = model.state_dict().items()
    return {k: v.clone() for k, v in state if not k.startswith('teacher.')}


def sgd(model):
    """An optimizer that would move every parameter it may, gradient or not."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return OptimWrapper(torch.optim.SGD(parameters, lr=0.5, weight_decay=0.1))
