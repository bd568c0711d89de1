"""A tiny student, a teacher of another kind, and batches for them."""

import copy

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from tests.processes import ROOT

CLASSES = 4
SIZE = (32, 48)
TINY = ROOT / 'tests' / 'tools' / 'tiny.py'
KL = {'type': 'KLDistillationLoss'}
JML_KD = {'type': 'JaccardMetricLoss', 'loss_name': 'loss_jml_kd'}


def plain_config():
    """The tiny model as it is trained alone."""
    return copy.deepcopy(Config.fromfile(TINY).model)


def teacher_config(**head):
    """Twice as wide, at half the resolution, aligned at the corners, with dropout."""
    cfg = plain_config()
    cfg.backbone.update(base_channels=8)
    cfg.decode_head.update(
        {'in_channels': 16, 'in_index': 0, 'align_corners': True, 'dropout_ratio': 0.5}
    )
    cfg.decode_head.update(head)
    cfg.auxiliary_head = {**cfg.decode_head, 'in_channels': 8, 'in_index': 1}
    return cfg


def write_teacher(folder, cfg=None):
    """A checkpoint in `folder` of `cfg`, whose statistics are no longer the first."""
    model = build(teacher_config() if cfg is None else cfg, seed=1).train()
    torch.nn.init.normal_(model.decode_head.conv_seg.weight)
    with torch.no_grad():
        model.extract_feat(torch.randn(4, 3, *SIZE))
    path = folder / 'teacher.pth'
    save_checkpoint({'state_dict': model.state_dict(), 'meta': {}}, str(path))
    return path


def student_config(checkpoint, **changes):
    """The tiny model with a teacher."""
    cfg = plain_config()
    cfg.update(
        type='DistillationEncoderDecoder',
        teacher=teacher_config(),
        teacher_checkpoint=str(checkpoint),
        distill_losses=[KL, JML_KD],
    )
    for key, value in changes.items():  # `update` would merge dicts
        cfg[key] = value
    return cfg


def auxiliary_head():
    """A second head for the tiny model."""
    return plain_config().decode_head


def knet_head():
    """K-Net's head for the tiny model: its losses lie in its parts."""
    convolution = {'conv_cfg': {'type': 'Conv2d'}, 'act_cfg': None}
    relu = {'type': 'ReLU', 'inplace': True}
    updator = {
        'type': 'KernelUpdator',
        **dict.fromkeys(('in_channels', 'feat_channels', 'out_channels'), 4),
        'act_cfg': relu,
        'norm_cfg': {'type': 'LN'},
    }
    update = {
        'type': 'KernelUpdateHead',
        'num_classes': CLASSES,
        'num_ffn_fcs': 2,
        'num_heads': 1,
        'num_mask_fcs': 1,
        'feedforward_channels': 8,
        **dict.fromkeys(('in_channels', 'out_channels'), 4),
        'conv_kernel_size': 1,
        'ffn_act_cfg': relu,
        'feat_transform_cfg': convolution,
        'kernel_updator_cfg': updator,
    }
    return {
        'type': 'IterativeDecodeHead',
        'num_stages': 1,
        'kernel_update_head': [update],
        'kernel_generate_head': plain_config().decode_head,
    }


def build(cfg, seed=0):
    """A model with the same weights each time."""
    init_default_scope('mmseg')
    torch.manual_seed(seed)
    return MODELS.build(copy.deepcopy(cfg))


def batch(number=2, seed=0):
    """Normalized pictures and their labels, a corner of which is ignored."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(number, 3, *SIZE, generator=generator)
    label = torch.randint(0, CLASSES, (number, 1, *SIZE), generator=generator)
    label[:, :, :8, :8] = 255
    return inputs, [SegDataSample(gt_sem_seg=PixelData(data=each)) for each in label]


def total(losses):
    """What is trained on."""
    return sum(value for key, value in losses.items() if 'loss' in key)
