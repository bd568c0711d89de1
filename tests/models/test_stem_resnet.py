"""A ResNet with its stem."""

import pytest
import torch
from mmseg.models.backbones import ResNetV1c

from mmseg_jml.models import StemResNetV1c


@pytest.fixture(scope='module')
def pair():
    """Ours and MMSegmentation's, with the same weights."""
    torch.manual_seed(0)
    ours = StemResNetV1c(depth=18, base_channels=8, stem_channels=8)
    plain = ResNetV1c(depth=18, base_channels=8, stem_channels=8)
    ours.eval(), plain.eval()  # MMSegmentation's return nothing
    plain.load_state_dict(ours.state_dict())
    return ours, plain


@pytest.mark.parametrize('size', [(64, 96), (65, 33)])
def test_the_stages_are_mmsegs_own(pair, size):
    ours, plain = pair
    pictures = torch.randn(2, 3, *size)
    torch.testing.assert_close(ours(pictures)[1:], plain(pictures))


def test_the_first_map_is_the_stem_at_stride_two(pair):
    # Equal, too: no later stage works in place on it.
    ours, _ = pair
    pictures = torch.randn(2, 3, 65, 33)
    stem = ours(pictures)[0]
    assert stem.shape == (2, 8, 33, 17)
    torch.testing.assert_close(stem, ours.stem(pictures))


def test_out_indices_leaves_stages_out():
    backbone = StemResNetV1c(
        depth=18, base_channels=8, stem_channels=8, out_indices=(1, 3)
    )
    maps = backbone(torch.randn(2, 3, 64, 64))
    assert [x.shape[1] for x in maps] == [8, 16, 64]
