"""Compute the scores of a large image in tiles, and blend them where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Tiling(NamedTuple):
    """Square tiles of `size` pixels; neighbours share `overlap` pixels."""

    size: int
    overlap: int


class Tile(NamedTuple):
    """The position of a tile along one axis, and its weight in each pixel."""

    start: int
    weight: Tensor  # (length of the tile,) float32; all tiles together give 1

    @property
    def span(self) -> slice:
        """The pixels of the tile."""
        return slice(self.start, self.start + len(self.weight))


def tiles_along(length: int, tiling: Tiling) -> list[Tile]:
    """Tiles that cover `length` pixels; the last one ends with the last pixel.

    The weight of a tile falls linearly in the overlap with a neighbour.

    >>> [(tile.start, tile.weight.tolist()) for tile in tiles_along(5, Tiling(3, 1))]
    [(0, [1.0, 1.0, 0.5]), (2, [0.5, 1.0, 1.0])]
    """
    size = min(tiling.size, length)
    last = length - size
    starts = [*range(0, last, tiling.size - tiling.overlap), last]
    place = torch.arange(size, dtype=torch.float64)
    rise = torch.minimum(place + 1, size - place).clamp(max=tiling.overlap + 1)
    total = torch.zeros(length, dtype=torch.float64)
    for start in starts:
        total[start : start + size] += rise
    return [
        Tile(start, (rise / total[start : start + size]).float()) for start in starts
    ]


def blended(
    score: Callable[[Tensor], Tensor], inputs: Tensor, tiling: Tiling
) -> Iterator[Tensor]:
    """Yield the scores (C,h,W) of an image from top to bottom; the heights add up to H.

    Only the scores of one row of tiles are stored at a time.

    Args:
        score: Returns the scores (C,h,w) of a tile (channels,h,w).
        inputs: The image (channels,H,W).
        tiling: The size of the tiles and their overlap.
    """
    height, width = inputs.shape[-2:]
    rows, columns = tiles_along(height, tiling), tiles_along(width, tiling)
    ends = [*(row.start for row in rows[1:]), height]
    carried: Tensor | None = None
    for row, end in zip(rows, ends, strict=True):
        band = _band(score, inputs[..., row.span, :], row, columns, width)
        if carried is not None:
            band[:, : carried.shape[1]] += carried
        yield band[:, : end - row.start]
        carried = band[:, end - row.start :].clone()


def _band(
    score: Callable[[Tensor], Tensor],
    inputs: Tensor,
    row: Tile,
    columns: list[Tile],
    width: int,
) -> Tensor:
    """The weighted scores (C,h,W) of one row of tiles."""
    band: Tensor | None = None
    for column in columns:
        scores = score(inputs[..., column.span]).float()
        if band is None:
            band = scores.new_zeros((*scores.shape[:2], width))
        weight = row.weight[:, None] * column.weight
        band[..., column.span] += scores * weight.to(scores.device)
    assert band is not None  # there is always a column
    return band
