"""The decoder of a U-Net."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

from mmseg_jml.models import UNetHead
from tests.losses.heads import JML_BLS, build, samples

WIDTHS = (4, 6, 8, 10, 12)
COMMON = dict(num_classes=5, norm_cfg=dict(type='BN'), dropout_ratio=0)


def maps(height, width, channels=WIDTHS):
    """Maps of stride 2, 4, ... as convolutions of stride 2 size them: rounded up."""
    torch.manual_seed(0)
    shapes = [(-(-height >> i), -(-width >> i)) for i in range(1, len(channels) + 1)]
    return [torch.randn(2, c, *hw) for c, hw in zip(channels, shapes, strict=True)]


@pytest.mark.parametrize('size', [(64, 96), (65, 97), (63, 33), (1, 1), (7, 130)])
def test_any_size_gives_logits_at_twice_the_finest_map(size):
    head = UNetHead(WIDTHS, 2, **COMMON).eval()
    inputs = maps(*size)
    height, width = inputs[0].shape[2:]
    assert head(inputs).shape == (2, 5, 2 * height, 2 * width)


def test_the_widths_halve_down_to_channels():
    head = UNetHead(WIDTHS, 3, **COMMON)
    convolutions = [[m.conv.out_channels for m in step] for step in head.steps]
    assert convolutions == [[48, 48], [24, 24], [12, 12], [6, 6], [3, 3]]
    joined = [step[0].conv.in_channels for step in head.steps]
    assert joined == [12 + 10, 48 + 8, 24 + 6, 12 + 4, 6]


@pytest.mark.parametrize('index', range(5))
def test_every_map_reaches_the_logits(index):
    head = UNetHead(WIDTHS, 2, **COMMON).eval()
    inputs = maps(64, 64)
    before = head(inputs)
    inputs[index] = inputs[index] + 1
    assert not torch.allclose(before, head(inputs))


def test_mirrored_maps_give_mirrored_logits():
    """Resizing shifts nothing, at odd sizes either."""
    head = UNetHead(WIDTHS, 2, **COMMON).eval().double()
    for convolution in (m.conv for step in head.steps for m in step):
        convolution.weight.data += convolution.weight.data.flip(3)
    inputs = [x.double() for x in maps(65, 97)]
    mirrored = head([x.flip(3) for x in inputs])
    torch.testing.assert_close(mirrored, head(inputs).flip(3))


def test_the_maps_are_picked_by_index():
    head = UNetHead(WIDTHS[1:], 2, in_index=(1, 2, 3, 4), **COMMON).eval()
    inputs = maps(64, 64)
    finest, *rest = inputs
    torch.testing.assert_close(head(inputs), head([torch.zeros_like(finest), *rest]))


def test_the_losses_plug_in():
    head = build(
        type='UNetHead', in_channels=WIDTHS, channels=2, loss_decode=JML_BLS, **COMMON
    )
    label = torch.randint(0, 5, (2, 65, 97))
    losses = head.loss(maps(65, 97), samples(label), ConfigDict())
    assert set(losses) == {'loss_ce', 'loss_jml', 'acc_seg'}
    (losses['loss_ce'] + losses['loss_jml']).backward()
    assert all(p.grad.abs().sum() > 0 for p in head.conv_seg.parameters())


def test_a_prediction_has_the_pictures_odd_size():
    head = UNetHead(WIDTHS, 2, **COMMON).eval()
    predicted = head.predict(maps(65, 97), [{'img_shape': (65, 97)}] * 2, ConfigDict())
    assert predicted.shape == (2, 5, 65, 97)


@pytest.mark.parametrize('in_channels', [8, (8,), ()])
def test_one_map_is_refused(in_channels):
    with pytest.raises(
        ValueError, match=r'`in_channels` must list .* at least two maps'
    ):
        UNetHead(in_channels, 2, num_classes=5)


def test_an_index_for_another_number_of_maps_is_refused():
    with pytest.raises(ValueError, match='`in_index` must name one map for each'):
        UNetHead(WIDTHS, 2, in_index=(0, 1), num_classes=5)


def test_a_backbone_without_a_stem_is_named():
    head = UNetHead(WIDTHS, 2, **COMMON)
    with pytest.raises(ValueError, match=r'at least 5 maps, got 4 .* StemResNetV1c'):
        head(maps(64, 64)[1:])


def test_it_is_a_head_of_mmsegs_registry():
    assert MODELS.get('UNetHead') is UNetHead
