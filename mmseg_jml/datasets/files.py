"""Image and mask files: decoded, described by their first bytes, and written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import NamedTuple

import mmcv
import numpy as np
from mmengine import fileio
from PIL import Image

ORIENTATION = 0x0112  # the EXIF tag; 1 means that the image is stored upright
JPEG = ('JPEG', 'MPO')  # as Pillow names them; phones write MPO


class Mask(NamedTuple):
    """A mask file.

    Attributes:
        ids: (H, W) integers.
        palette: (n, 3) RGB colours that the file may carry.
        format: The file's, as Pillow names it; '' where Pillow does not know it.
    """

    ids: np.ndarray
    palette: np.ndarray | None
    format: str = ''


class ColourMaskError(ValueError):
    """A mask holds RGB colours, (H, W, channels), where it should hold ids, (H, W)."""

    def __init__(self, path: str, pixels: np.ndarray) -> None:
        self.pixels = pixels
        super().__init__(
            f'mask {path} is a colour image of shape {pixels.shape}: '
            'it must hold one class id for each pixel, (H, W)'
        )


class FractionError(ValueError):
    """A mask holds numbers that are not whole."""


def read_mask(
    path: str, backend_args: dict | None = None, *, decoder: str = 'pillow'
) -> Mask:
    """Read the ids of a mask before `LoadAnnotations` cuts them to 8 bits.

    Args:
        path: The file.
        backend_args: Where MMEngine's file functions find it, if not on disk.
        decoder: The `imdecode_backend` of `LoadAnnotations`.

    Raises:
        FileNotFoundError: There is no such file.
        ColourMaskError: The mask holds colours.
        FractionError: The mask holds numbers that are not whole.
        ValueError: The file cannot be decoded.
    """
    data = file_bytes('mask', path, backend_args)
    with unreadable('mask', path):
        pixels = mmcv.imfrombytes(data, flag='unchanged', backend=decoder)
        if pixels is None:
            raise ValueError(f'{decoder} cannot decode it')
        pixels = pixels.squeeze()
        kind, palette = _format_and_palette(data)
    if pixels.ndim == 3 and pixels.shape[2] >= 3 and decoder != 'tifffile':
        pixels = np.concatenate([pixels[..., 2::-1], pixels[..., 3:]], 2)  # from BGR
    if pixels.ndim != 2:
        raise ColourMaskError(path, pixels)
    return Mask(whole_numbers(path, pixels), palette, kind)


def _format_and_palette(data: bytes) -> tuple[str, np.ndarray | None]:
    try:
        with Image.open(BytesIO(data)) as image:
            flat = image.getpalette('RGB') if image.mode == 'P' else None
            kind = image.format or ''
    except OSError:  # another decoder may know it
        return '', None
    return kind, None if flat is None else np.reshape(flat, (-1, 3))


def whole_numbers(path: str, ids: np.ndarray) -> np.ndarray:
    """The ids of a mask as integers; GIS tools write them as floats.

    Raises:
        FractionError: The mask holds numbers that are not whole.
    """
    if ids.dtype == bool:
        return ids.astype(np.uint8)
    if not np.issubdtype(ids.dtype, np.floating):
        return ids
    broken = ~np.isfinite(ids) | (np.abs(ids) > 2**31)
    if broken.any():
        raise FractionError(
            f'mask {path} holds {ids[broken][0]} in {int(broken.sum())} of '
            f'{ids.size} pixels, which is not a class id'
        )
    whole = ids.astype(np.int64)
    broken = whole != ids
    if broken.any():
        raise FractionError(
            f'mask {path} holds {ids[broken][0]} and other numbers that are not whole '
            f'in {int(broken.sum())} of {ids.size} pixels: training would '
            f'cut off the fractions'
        )
    return whole


class Header(NamedTuple):
    """What the first bytes of an image file say.

    Attributes:
        format: As Pillow names it.
        size: (H, W) as the pixels are stored.
        upright: Whether no EXIF orientation turns or mirrors them.
    """

    format: str
    size: tuple[int, int]
    upright: bool


def read_header(
    path: str, backend_args: dict | None = None, *, whole: bool = False
) -> Header | None:
    """Read the header of an image file; None where Pillow does not know its kind.

    Args:
        path: The file.
        backend_args: Where MMEngine's file functions find it, if not on disk.
        whole: Look through a JPEG or PNG file for damage. It costs a fraction of
            decoding, and older versions of OpenCV decode damaged files in silence.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged.
    """
    if backend_args is None and os.path.isfile(path):
        source: str | BytesIO = path
    else:
        source = BytesIO(file_bytes('image', path, backend_args))
    try:
        image = Image.open(source)
    except (
        Exception
    ):  # also what Pillow thinks too large: the pipeline's loader decides
        return None
    with image, unreadable('image', path):
        width, height = image.size
        # Without this chunk Pillow would decode a PNG to look for another one.
        bare = image.format == 'PNG' and 'exif' not in image.info
        upright = bare or image.getexif().get(ORIENTATION, 1) == 1
        header = Header(image.format or '', (height, width), upright)
        if whole and header.format in JPEG:
            # A JPEG can be decoded at an eighth of its size; its whole file is read.
            image.draft(None, (max(1, width // 8), max(1, height // 8)))
            image.load()
        elif whole and header.format == 'PNG':
            image.verify()
    return header


def file_bytes(what: str, path: str, backend_args: dict | None) -> bytes:
    """The content of an image or a mask.

    Raises:
        FileNotFoundError: There is no such file; a file whose name differs only in the
            suffix's case is named.
    """
    if not fileio.exists(path, backend_args=backend_args):
        raise FileNotFoundError(f'{what} {path} is missing{_other_case(path)}')
    with unreadable(what, path):
        return fileio.get(path, backend_args=backend_args)


def _other_case(path: str) -> str:
    stem, suffix = os.path.splitext(path)
    for other in (suffix.lower(), suffix.upper()):
        if other != suffix and os.path.exists(stem + other):
            return f', but {os.path.basename(stem) + other} is there: rename it'
    return ''


@contextmanager
def unreadable(what: str, path: str) -> Iterator[None]:
    """Turn whatever a decoder raises into a ValueError that names the file."""
    try:
        yield
    except Exception as error:
        raise ValueError(f'{what} {path} is not a readable image: {error}') from error


def png(label: np.ndarray) -> bytes:
    """An (H, W) uint8 label map as a PNG file."""
    buffer = BytesIO()
    Image.fromarray(label).save(buffer, 'PNG')
    return buffer.getvalue()
