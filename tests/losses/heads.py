"""Heads, features and labels small enough for a test."""

import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmseg_jml.losses  # noqa: F401 registers them

NUM_CLASSES = 5
CHANNELS = (8, 12, 16, 24)
CE = dict(type='SoftCrossEntropyLoss', loss_weight=0.25)
JML = dict(type='JaccardMetricLoss', loss_weight=0.75)
BLS = dict(type='BoundaryLabelSmoothing')
JML_BLS = dict(type='CompoundLoss', losses=[CE, JML], label_smoothing=BLS)
COMMON = dict(
    channels=8,
    num_classes=NUM_CLASSES,
    dropout_ratio=0,
    norm_cfg=dict(type='BN'),
    align_corners=False,
)


def features(seed=0):
    """Four maps as a backbone of strides 4 to 32 gives them for 64 x 64 pictures."""
    torch.manual_seed(seed)
    return [torch.randn(2, c, 16 >> i, 16 >> i) for i, c in enumerate(CHANNELS)]


def labels(num_classes=NUM_CLASSES, size=64):
    """Two label maps (2,H,W) in 8 x 8 blocks, with an ignored rim."""
    torch.manual_seed(1)
    blocks = torch.randint(0, num_classes, (2, size // 8, size // 8))
    label = blocks.repeat_interleave(8, 1).repeat_interleave(8, 2)
    label[:, :2] = 255
    return label


def samples(label):
    """The label maps as a head receives them."""
    edges = torch.zeros_like(label)
    edges[:, :, ::8] = 1
    return [
        SegDataSample(
            gt_sem_seg=PixelData(data=one[None]), gt_edge_map=PixelData(data=edge[None])
        )
        for one, edge in zip(label, edges, strict=True)
    ]


def build(**config):
    """A module of MMSegmentation's registry in training mode."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    return MODELS.build(config).train()
