"""What a mask holds: numbers, or colours as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from .files import JPEG, ColourMaskError, read_mask

IGNORED = 255
MOST_VALUES = 256  # more of them are no classes


class Values(NamedTuple):
    """What one mask holds.

    Attributes:
        shape: (H, W).
        pixels: How many have each value: a number, or a colour as R·2¹⁶ + G·2⁸ + B.
        coloured: Whether the values are colours.
        palette: (n, 3) the colours that the file gives its numbers, if it does.
        flat: Whether the file holds nothing else, such as opacity.
    """

    shape: tuple[int, ...]
    pixels: dict[int, int]
    coloured: bool
    palette: np.ndarray | None = None
    flat: bool = True


def read_values(
    path: Path, *, coloured: bool = False, threshold: int | None = None
) -> tuple[np.ndarray, Values]:
    """(H, W) values of a mask, and what they are.

    Args:
        path: The file.
        coloured: Turn numbers into colours too: by the file's palette, or as grey.
        threshold: Turn black and white into 0 and 1: 1 where the brightest channel is
            at least this.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no image, or a JPEG, or has so many values that it was drawn
            with soft edges.
    """
    palette, kind = None, ''
    try:
        mask = read_mask(str(path))
        pixels, palette, kind = mask.ids, mask.palette, mask.format
    except ColourMaskError as error:
        pixels = error.pixels
    if threshold is not None:
        bands = pixels.reshape(*pixels.shape[:2], -1)
        # Of two bands the second is the opacity, as the fourth of four is.
        colours = bands[..., : 3 if bands.shape[2] > 2 else 1].max(2)
        palette, pixels = None, (colours >= threshold).astype(np.uint8)
    elif kind in JPEG or path.suffix.lower() in ('.jpg', '.jpeg'):
        raise ValueError(
            f'mask {path} is a JPEG, which changes the values near edges: save masks '
            f'as PNG files; for black and white masks --threshold 128 undoes it'
        )
    grey = pixels.ndim == 2 or pixels.shape[2] < 3
    values = pixels.reshape(*pixels.shape[:2], -1).astype(np.int64)
    if not grey:
        values = _code(values[..., :3])
        coloured = True
    elif coloured:
        values = values[..., 0]
        if palette is not None and values.max() < len(palette):
            values = _code(palette.astype(np.int64))[values]
        else:
            values = values * 0x010101
    else:
        values = values[..., 0]
    found, counts = np.unique(values, return_counts=True)
    if found[0] < 0:
        raise ValueError(
            f'mask {path} holds the negative value {found[0]}, which is no class: '
            f'write {IGNORED} where a pixel has no class'
        )
    if len(found) > MOST_VALUES:
        raise ValueError(
            f'mask {path} holds {len(found)} different values, too many for classes: '
            f'was it once a JPEG, or resized with interpolation? Black and white masks '
            f'can be read with --threshold 128'
        )
    number = dict(zip(found.tolist(), counts.tolist(), strict=True))
    return values, Values(values.shape, number, coloured, palette, pixels.ndim == 2)


def _code(colours: np.ndarray) -> np.ndarray:
    return colours @ np.array([1 << 16, 1 << 8, 1])


def colour_of(code: int) -> tuple[int, int, int]:
    """(R, G, B) of a colour's number.

    >>> colour_of(0x0102FF)
    (1, 2, 255)
    """
    return code >> 16, code >> 8 & 255, code & 255
