"""Heads of one channel: accuracy and threshold."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.models.losses import accuracy

from mmseg_jml.models.binary import (
    one_channel_accuracy,
    threshold_of,
    threshold_sentence,
)
from tests.losses.heads import build, samples
from tests.models.test_unet_head import WIDTHS, maps
from tests.segmentors.distilled import (
    SIZE,
    batch,
    plain_config,
    student_config,
    teacher_config,
    write_teacher,
)
from tests.segmentors.distilled import build as build_segmentor
from tests.segmentors.semi_supervised import branches, semi_config

ONE_CHANNEL = dict(num_classes=2, out_channels=1, threshold=0.3)
BCE = dict(type='CrossEntropyLoss', use_sigmoid=True)
SIGMOID = dict(type='JaccardMetricLoss', use_sigmoid=True)


@pytest.mark.parametrize('threshold', [0.3, 0.5, 0.8])
def test_accuracy_is_that_of_two_channels_that_decide_alike(threshold):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, 9, 7, generator=generator)
    label = torch.randint(0, 2, (2, 9, 7), generator=generator)
    label[:, :2] = 255
    decided = (logits.sigmoid() > threshold).float()
    two = torch.cat([1 - decided, decided], dim=1)
    found = one_channel_accuracy(logits, label, threshold)
    torch.testing.assert_close(found, accuracy(two, label, ignore_index=255))


def test_accuracy_without_a_valid_pixel_is_zero():
    label = torch.full((1, 2, 2), 255)
    assert one_channel_accuracy(torch.ones(1, 1, 2, 2), label, 0.3).item() == 0


@pytest.mark.parametrize(('value', 'expected'), [(9.0, 0.0), (-9.0, 100.0)])
def test_a_unet_head_of_one_channel_logs_its_accuracy(value, expected):
    """Where all is background: the framework's own logs 100 whatever is predicted."""
    head = build(
        type='UNetHead', in_channels=WIDTHS, channels=2, loss_decode=BCE, **ONE_CHANNEL
    )
    torch.nn.init.zeros_(head.conv_seg.weight)
    torch.nn.init.constant_(head.conv_seg.bias, value)
    label = torch.zeros(2, 65, 97, dtype=torch.long)
    losses = head.loss(maps(65, 97), samples(label), ConfigDict())
    assert losses['acc_seg'].item() == expected


def one_channel(cfg):
    cfg.decode_head.update({**ONE_CHANNEL, 'loss_decode': SIGMOID})
    return cfg


def binary(data_samples):
    for each in data_samples:
        label = each.gt_sem_seg.data
        each.gt_sem_seg.data = label.where(label == 255, label % 2)
    return data_samples


def test_a_distilling_segmentor_logs_no_background_share(tmp_path):
    teacher = teacher_config(**ONE_CHANNEL, align_corners=False)
    del teacher['auxiliary_head']
    checkpoint = write_teacher(tmp_path, teacher)
    losses = [dict(type='JaccardMetricLoss', use_sigmoid=True, loss_name='loss_kd')]
    cfg = student_config(checkpoint, teacher=teacher, distill_losses=losses)
    cfg.auxiliary_head = plain_config().decode_head
    inputs, data_samples = batch()
    model = build_segmentor(one_channel(cfg)).train()
    found = model.loss(inputs, binary(data_samples))
    assert set(found) == {
        'decode.loss_jml',
        'decode.loss_kd',
        'aux.loss_jml',
        'aux.acc_seg',
    }


def test_a_semi_supervised_segmentor_logs_no_background_share():
    loss = dict(type='JaccardMetricLoss', use_sigmoid=True)
    cfg = one_channel(semi_config(dict(loss=loss, views=dict(strong=1.0))))
    inputs, data_samples = branches()
    for name in data_samples:
        binary(data_samples[name])
    found = build_segmentor(cfg).train().loss(inputs, data_samples)
    assert 'decode.loss_jml' in found
    assert not any('acc_seg' in key for key in found)
    assert inputs['weak'].shape[2:] == SIZE


@pytest.mark.parametrize(
    ('head', 'threshold'),
    [
        (dict(num_classes=2, out_channels=1), 0.3),
        (dict(num_classes=1), 0.3),
        (dict(num_classes=2, out_channels=1, threshold=0.5), 0.5),
        (dict(num_classes=2), None),
        ([dict(num_classes=2), dict(num_classes=2, out_channels=1)], 0.3),
    ],
)
def test_the_threshold_is_the_one_that_the_head_decides_by(head, threshold):
    assert threshold_of(dict(decode_head=head)) == threshold


def test_the_sentence_tells_the_threshold():
    head = dict(num_classes=2, out_channels=1)
    assert 'its probability is above 0.3' in threshold_sentence(dict(decode_head=head))
