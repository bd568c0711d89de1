"""The text of the config that `new-config` writes for users to read and change."""

from __future__ import annotations

import pprint
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LARGEST_CROP = 512
LARGEST_WHOLE = 1024  # longer images are tested in windows of the crop's size
FEW_IMAGES = 500  # a network of half the width learns as much from these
BATCH = 8
EPOCHS = 100
SHORT = 100  # iterations; shorter trainings are validated at their end alone
FEWEST_ITERATIONS, MOST_ITERATIONS = 1000, 40000


class Source(NamedTuple):
    """Images of one split that a single BaseSegDataset can list."""

    list_name: str
    masks: str
    img_suffix: str


class Own(NamedTuple):
    """Everything that the text of a config depends on.

    Attributes:
        command: The command that writes the config.
        images, lists: The folders of the images and of the lists.
        mask_suffix: The suffix of all masks.
        sources: The sources of train, val and test.
        classes, palette, from_one: As in `mask_meaning.Meaning`.
        sizes: (H, W) of every image.
        number: The number of training images.
        one_channel: Whether a binary head has one output channel and a sigmoid.
        pretrained: Whether the backbone starts with weights trained on ImageNet.
        iterations: The length of the training run; None chooses it by `number`.
    """

    command: str
    images: str
    lists: str
    mask_suffix: str
    sources: Mapping[str, Sequence[Source]]
    classes: Sequence[str]
    palette: Sequence[tuple[int, int, int]]
    from_one: bool
    sizes: Sequence[tuple[int, int]]
    number: int
    one_channel: bool = False
    pretrained: bool = False
    iterations: int | None = None


def crop_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The median height and width of the images, in steps of 32, at most 512.

    >>> crop_size([(360, 480)] * 3)
    (352, 480)
    """
    sides = [sorted(size[axis] for size in sizes)[len(sizes) // 2] for axis in (0, 1)]
    return tuple(max(32, min(LARGEST_CROP, side // 32 * 32)) for side in sides)


def batch_size(number: int) -> int:
    """8, or the number of images if that is less; batch normalization needs 2."""
    return max(2, min(BATCH, number))


def iterations(number: int) -> int:
    """About a hundred epochs, but between 1,000 and 40,000 iterations.

    >>> iterations(367)
    4600
    """
    wanted = round(EPOCHS * number / batch_size(number), -2)
    return int(max(FEWEST_ITERATIONS, min(MOST_ITERATIONS, wanted)))


def config_text(own: Own) -> str:
    """The config as Python code."""
    parts = (_head(own), _pipelines(), _datasets(own), _model(own), _schedule(own))
    return '\n'.join(parts)


def _head(own: Own) -> str:
    sizes = sorted(set(own.sizes))
    said = ' to '.join(f'{h}x{w}' for h, w in dict.fromkeys((sizes[0], sizes[-1])))
    palette = [list(colour) for colour in own.palette]
    command = ' '.join(own.command.splitlines())
    return f"""# Written by: {command}
# {own.number} training images; sizes (height x width) are {said}.
custom_imports = dict(imports=['mmseg_jml'], allow_failed_imports=False)
default_scope = 'mmseg'
classes = {_listed(list(own.classes))}
palette = {_listed(palette)}
crop_size = {crop_size(own.sizes)}
"""


def _listed(values: list) -> str:
    """A list, on as many lines as it needs."""
    text = pprint.pformat(values, width=76, compact=True)
    return text.replace('\n', '\n    ')


def _pipelines() -> str:
    return """scales = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # relative to each image
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomChoice', transforms=[
        [dict(type='Resize', scale_factor=scale)] for scale in scales
    ]),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
"""


def _datasets(own: Own) -> str:
    first = own.sources['train'][0]
    from_one = '    reduce_zero_label=True,  # ids count from 1, and 0 is ignored\n'
    loaders = ''.join(_loader(own, split) for split in ('train', 'val', 'test'))
    return f"""images = {own.images!r}
lists = {own.lists!r}
dataset = dict(
    type='BaseSegDataset',
    data_prefix=dict(img_path=images, seg_map_path={first.masks!r}),
    img_suffix={first.img_suffix!r},
    seg_map_suffix={own.mask_suffix!r},
{from_one if own.from_one else ''}\
    metainfo=dict(classes=classes, palette=palette),
)
{loaders}val_evaluator = test_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='CalibrationMetric'),
    dict(type='FineGrainedIoUMetric'),
]
custom_hooks = [dict(type='CalibrationHook')]  # it draws reliability diagrams
"""


def _loader(own: Own, split: str) -> str:
    train = split == 'train'
    kind = 'InfiniteSampler' if train else 'DefaultSampler'
    batch = batch_size(own.number) if train else 1
    return f"""{split}_dataloader = dict(
    batch_size={batch}, num_workers=2, persistent_workers=True,
    sampler=dict(type={kind!r}, shuffle={train}),
    dataset={_dataset(own, split)},
)
"""


def _dataset(own: Own, split: str) -> str:
    pipeline = 'train_pipeline' if split == 'train' else 'test_pipeline'
    first = own.sources['train'][0]
    found = []
    for source in own.sources[split]:
        changes = [f'ann_file=lists + {"/" + source.list_name!r}']
        if source.img_suffix != first.img_suffix:
            changes.append(f'img_suffix={source.img_suffix!r}')
        if source.masks != first.masks:
            prefix = f'dict(img_path=images, seg_map_path={source.masks!r})'
            changes.append(f'data_prefix={prefix}')
        found.append(f'dict(dataset, {", ".join(changes)}, pipeline={pipeline})')
    if len(found) == 1:
        return found[0]
    inner = ''.join(f'        {each},\n' for each in found)
    return f"dict(type='ConcatDataset', datasets=[\n{inner}    ])"


def _model(own: Own) -> str:
    wide = own.pretrained or own.number >= FEW_IMAGES
    width, last, first, channels = (1.0, 320, 24, 128) if wide else (0.5, 160, 16, 64)
    one = own.one_channel
    binary = ' out_channels=1, threshold=0.5,' if one else ''
    loss = ', use_sigmoid=True' if one else ''
    longest = max(max(size) for size in own.sizes)
    stride = tuple(side * 2 // 3 for side in crop_size(own.sizes))
    windows = f"mode='slide', crop_size=crop_size, stride={stride}"
    test = "mode='whole'" if longest <= LARGEST_WHOLE else windows
    pretrained = 'mmcls://mobilenet_v2' if own.pretrained else None
    return f"""norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    pretrained={pretrained!r},
    data_preprocessor=dict(
        type='SegDataPreProcessor', size=crop_size, seg_pad_val=255, bgr_to_rgb=True,
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(
        type='MobileNetV2', widen_factor={width}, norm_cfg=norm_cfg,
        strides=(1, 2, 2, 2, 1, 1, 1), dilations=(1, 1, 1, 1, 1, 2, 2),
        out_indices=(1, 2, 4, 6),
    ),
    decode_head=dict(
        type='DepthwiseSeparableASPPHead', norm_cfg=norm_cfg, align_corners=False,
        in_channels={last}, in_index=3, channels={channels}, dilations=(1, 3, 6, 9),
        c1_in_channels={first}, c1_channels={first},
        num_classes={len(own.classes)},{binary}
        loss_decode=dict(type='SoftCrossEntropyLoss'{loss}),
    ),
    test_cfg=dict({test}),
)
"""


def _schedule(own: Own) -> str:
    end = own.iterations or iterations(own.number)
    warm, warm_up = end // 20, ''
    if warm >= 2:  # a warm-up of one iteration would never reach the full rate
        options = f'start_factor=0.01, by_epoch=False, begin=0, end={warm}'
        warm_up = f"    dict(type='LinearLR', {options}),\n"
    begin = warm if warm_up else 0
    interval = end // 5 if end >= SHORT else end
    rate = 5e-4 if own.pretrained else 2e-3
    return f"""optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr={rate}, weight_decay=0.01)
)
param_scheduler = [
{warm_up}    dict(type='PolyLR', power=0.9, by_epoch=False, begin={begin}, end={end}),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters={end}, val_interval={interval})
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    checkpoint=dict(
        type='CheckpointHook', by_epoch=False, interval={interval}, max_keep_ckpts=2,
        save_best='mIoU', rule='greater',
    ),
)
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
"""
