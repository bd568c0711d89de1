"""Tiles: they cover the image, and their seams are blended."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.cli.prediction.tiles import Tiling, blended, tiles_along

SHAPES = [
    ((37, 50), Tiling(16, 5)),
    ((37, 50), Tiling(16, 15)),
    ((37, 50), Tiling(16, 0)),
    ((9, 50), Tiling(16, 4)),
    ((16, 16), Tiling(16, 4)),
    ((1, 17), Tiling(16, 4)),
]


@given(st.integers(1, 200), st.integers(1, 64), st.data())
def test_the_weights_of_all_tiles_add_up_to_one(length, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    total = torch.zeros(length)
    for tile in tiles_along(length, Tiling(size, overlap)):
        assert len(tile.weight) == min(size, length)
        assert (tile.weight > 0).all()
        total[tile.span] += tile.weight
    torch.testing.assert_close(total, torch.ones(length))


@pytest.mark.parametrize(('shape', 'tiling'), SHAPES)
def test_scores_of_each_pixel_alone_come_back(shape, tiling):
    image = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    strips = list(blended(lambda tile: 2 * tile, image, tiling))
    torch.testing.assert_close(torch.cat(strips, 1), 2 * image)


def test_a_tile_is_never_larger_than_asked_and_a_strip_never_higher():
    seen = []

    def score(tile):
        seen.append(tile.shape[1:])
        return tile

    strips = list(blended(score, torch.zeros(1, 70, 50), Tiling(16, 4)))
    assert set(seen) == {(16, 16)}
    assert max(strip.shape[1] for strip in strips) <= 16


def test_between_tiles_that_disagree_the_scores_change_step_by_step():
    tiling = Tiling(32, 15)
    values = iter([0.0, 1.0])
    image = torch.zeros(1, 32, 49)  # two tiles side by side
    (strip,) = blended(lambda tile: torch.full_like(tile, next(values)), image, tiling)
    steps = strip[0].diff(dim=1)
    assert (steps >= 0).all()
    assert steps.max() == pytest.approx(1 / (tiling.overlap + 1))


def test_nan_of_a_tile_is_kept():
    image = torch.zeros(1, 40, 40)
    image[0, 20, 20] = torch.nan
    scores = torch.cat(list(blended(lambda tile: tile, image, Tiling(16, 4))), 1)
    assert scores[0, 20, 20].isnan()
