"""Every head that calls its losses as BaseDecodeHead does trains with ours."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.models.utils import resize

from tests.losses.heads import (
    BLS,
    CE,
    CHANNELS,
    COMMON,
    JML,
    JML_BLS,
    NUM_CLASSES,
    build,
    features,
    labels,
    samples,
)

LAST = dict(in_channels=CHANNELS[-1], in_index=3)
ALL = dict(in_channels=list(CHANNELS), in_index=[0, 1, 2, 3])
HEADS = {
    'ASPP': dict(type='ASPPHead', dilations=(1, 2), **LAST),
    'SepASPP': dict(
        type='DepthwiseSeparableASPPHead',
        dilations=(1, 2),
        c1_in_channels=CHANNELS[0],
        c1_channels=4,
        **LAST,
    ),
    'PSP': dict(type='PSPHead', pool_scales=(1, 2), **LAST),
    'FCN': dict(type='FCNHead', num_convs=1, **LAST),
    'UPer': dict(type='UPerHead', pool_scales=(1, 2), **ALL),
    'SegFormer': dict(type='SegformerHead', **ALL),
}


def gradient_reaches(module):
    return all(
        p.grad is not None and p.grad.abs().sum() > 0 and p.grad.isfinite().all()
        for p in module.parameters()
    )


@pytest.mark.parametrize('name', HEADS)
@pytest.mark.parametrize('listed', [False, True], ids=['dict', 'list'])
def test_a_head_trains_with_the_losses_by_name(name, listed):
    loss_decode = [CE, JML] if listed else JML_BLS
    head = build(**HEADS[name], **COMMON, loss_decode=loss_decode)
    losses = head.loss(features(), samples(labels()), ConfigDict())
    assert set(losses) == {'loss_ce', 'loss_jml', 'acc_seg'}
    (losses['loss_ce'] + losses['loss_jml']).backward()
    assert gradient_reaches(head.conv_seg)


def test_the_head_logs_what_the_losses_say_of_its_resized_logits():
    head = build(**HEADS['FCN'], **COMMON, loss_decode=JML_BLS)
    label = labels()
    losses = head.loss(features(), samples(label), ConfigDict())
    logits = resize(head(features()), size=label.shape[1:], mode='bilinear')
    for config in (CE, JML):
        loss = build(**config, label_smoothing=BLS)
        torch.testing.assert_close(losses[loss.loss_name], loss(logits, label))


def test_losses_of_one_name_are_added():
    twice = [dict(JML, loss_weight=0.5), dict(JML, loss_weight=0.25)]
    head = build(**HEADS['FCN'], **COMMON, loss_decode=twice)
    once = build(**HEADS['FCN'], **COMMON, loss_decode=JML)
    compound = build(
        **HEADS['FCN'], **COMMON, loss_decode=dict(type='CompoundLoss', losses=twice)
    )
    values = [
        each.loss(features(), samples(labels()), ConfigDict())['loss_jml']
        for each in (head, once, compound)
    ]
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(values[2], values[1])


@pytest.mark.filterwarnings('ignore:For binary segmentation')
def test_a_binary_head_trains_on_its_only_channel():
    binary = dict(COMMON, num_classes=2, out_channels=1, threshold=0.5)
    sigmoid = [dict(CE, use_sigmoid=True), dict(JML, use_sigmoid=True)]
    losses = dict(type='CompoundLoss', losses=sigmoid, label_smoothing=BLS)
    head = build(**HEADS['FCN'], **binary, loss_decode=losses)
    logged = head.loss(features(), samples(labels(2)), ConfigDict())
    sum(v for k, v in logged.items() if 'loss' in k).backward()
    assert gradient_reaches(head.conv_seg)


def segmentor(type_, decode_head, auxiliary_head=None, **more):
    return build(
        type=type_,
        data_preprocessor=dict(type='SegDataPreProcessor'),
        backbone=dict(
            type='ResNetV1c',
            depth=18,
            base_channels=8,
            stem_channels=8,
            norm_cfg=dict(type='BN'),
        ),
        decode_head=decode_head,
        auxiliary_head=auxiliary_head,
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
        **more,
    )


def total(losses):
    """The loss as MMEngine sums it: every key with 'loss' in it."""
    return sum(v for k, v in losses.items() if 'loss' in k)


def test_the_cascade_of_ocr_trains_in_both_stages():
    four = dict(in_channels=[8, 16, 32, 64], in_index=[0, 1, 2, 3])
    stages = [
        dict(type='FCNHead', input_transform='resize_concat', num_convs=1, **four),
        dict(type='OCRHead', input_transform='resize_concat', ocr_channels=4, **four),
    ]
    model = segmentor(
        'CascadeEncoderDecoder',
        [dict(**stage, **COMMON, loss_decode=JML_BLS) for stage in stages],
        num_stages=2,
    )
    losses = model.loss(torch.randn(2, 3, 64, 64), samples(labels()))
    assert {'decode_0.loss_jml', 'decode_1.loss_jml'} <= set(losses)
    total(losses).backward()
    assert all(gradient_reaches(head.conv_seg) for head in model.decode_head)


def test_an_auxiliary_head_has_its_own_losses():
    model = segmentor(
        'EncoderDecoder',
        dict(type='FCNHead', in_channels=64, in_index=3, **COMMON, loss_decode=JML_BLS),
        dict(type='FCNHead', in_channels=32, in_index=2, **COMMON, loss_decode=CE),
    )
    losses = model.loss(torch.randn(2, 3, 64, 64), samples(labels()))
    assert {'decode.loss_ce', 'decode.loss_jml', 'aux.loss_ce'} <= set(losses)
    total(losses).backward()
    assert gradient_reaches(model.auxiliary_head.conv_seg)


def test_unet_with_its_fcn_head_trains():
    stages = dict(
        enc_num_convs=(1, 1),
        dec_num_convs=(1,),
        num_stages=2,
        strides=(1, 1),
        downsamples=(True,),
        enc_dilations=(1, 1),
        dec_dilations=(1,),
    )
    unet = dict(type='UNet', base_channels=4, norm_cfg=dict(type='BN'), **stages)
    model = build(
        type='EncoderDecoder',
        data_preprocessor=dict(type='SegDataPreProcessor'),
        backbone=unet,
        decode_head=dict(
            type='FCNHead',
            in_channels=4,
            in_index=1,
            **COMMON,
            num_convs=1,
            concat_input=False,
            loss_decode=JML_BLS,
        ),
    )
    losses = model.loss(torch.randn(2, 3, 64, 64), samples(labels()))
    total(losses).backward()
    assert gradient_reaches(model.decode_head.conv_seg)


def test_a_loss_leaves_nothing_in_the_checkpoint():
    weighted = [dict(CE, class_weight=[1.0] * NUM_CLASSES), JML]
    head = build(**HEADS['FCN'], **COMMON, loss_decode=weighted)
    assert not [key for key in head.state_dict() if 'loss' in key]


def test_a_sampler_that_wants_a_loss_a_pixel_is_told_why_not():
    sampler = dict(type='OHEMPixelSampler', min_kept=10)
    head = build(**HEADS['FCN'], **COMMON, loss_decode=JML_BLS, sampler=sampler)
    with pytest.raises(ValueError, match=r'`reduction_override` must be None.*thresh'):
        head.loss(features(), samples(labels()), ConfigDict())


def test_a_sampler_with_a_threshold_weights_the_pixels():
    sampler = dict(type='OHEMPixelSampler', thresh=0.5, min_kept=10)
    head = build(**HEADS['FCN'], **COMMON, loss_decode=JML_BLS, sampler=sampler)
    losses = head.loss(features(), samples(labels()), ConfigDict())
    total(losses).backward()
    assert gradient_reaches(head.conv_seg)
