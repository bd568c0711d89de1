"""Pictures and masks on disk, read as the training reads them, and written whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine import fileio
from PIL import Image

ORIENTATION = 0x0112  # EXIF; from 5 on, height and width are exchanged


class Mask(NamedTuple):
    """A mask file: (H, W) ids, and the (n, 3) RGB palette that it may carry."""

    ids: np.ndarray
    palette: np.ndarray | None


def read_mask(path: str, backend_args: dict | None = None) -> Mask:
    """Read a mask's ids, as `LoadAnnotations` does.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no picture, or one in colour.
    """
    with _opened('mask', path, backend_args) as image:
        ids = np.array(image).squeeze()
        flat = image.getpalette('RGB') if image.mode == 'P' else None
    if ids.ndim != 2:
        raise ColourMaskError(path, ids)
    palette = None if flat is None else np.reshape(flat, (-1, 3))
    return Mask(ids.astype(np.uint8) if ids.dtype == bool else ids, palette)


class ColourMaskError(ValueError):
    """A mask holds colours, (H, W, channels), where it should hold ids, (H, W)."""

    def __init__(self, path: str, pixels: np.ndarray) -> None:
        self.pixels = pixels
        super().__init__(
            f'mask {path} is a colour picture of shape {pixels.shape}: '
            'it must hold one class id a pixel, (H, W)'
        )


def picture_size(
    path: str, *, decode: bool = False, backend_args: dict | None = None
) -> tuple[int, int]:
    """(H, W) of a picture as OpenCV loads it, which obeys a camera's orientation.

    Args:
        path: A file.
        decode: Read the pixels too, so that a truncated file is found out.
        backend_args: Where MMEngine's file functions find it, if not on disk.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no picture, or, with `decode`, not a whole one.
    """
    with _opened('picture', path, backend_args) as image:
        width, height = image.size
        # Cameras write these. Of a PNG the pixels would have to be read for it.
        photo = image.format in ('JPEG', 'MPO')
        turned = photo and image.getexif().get(ORIENTATION, 1) >= 5
        if decode:
            # A JPEG can be decoded at an eighth of its size; its whole file is read.
            image.draft(None, (max(1, width // 8), max(1, height // 8)))
            image.load()
    return (width, height) if turned else (height, width)


def png(label: np.ndarray) -> bytes:
    """An (H, W) uint8 label map as a PNG file."""
    buffer = BytesIO()
    Image.fromarray(label).save(buffer, 'PNG')
    return buffer.getvalue()


@contextmanager
def _opened(what: str, path: str, backend_args: dict | None) -> Iterator[Image.Image]:
    """The open picture; whatever Pillow raises on a broken one becomes a ValueError."""
    if not fileio.exists(path, backend_args=backend_args):
        raise FileNotFoundError(f'{what} {path} is missing')
    local = backend_args is None and Path(path).is_file()
    source = path if local else BytesIO(fileio.get(path, backend_args=backend_args))
    try:
        with Image.open(source) as image:
            yield image
    except Exception as error:
        raise ValueError(f'{what} {path} is not a readable picture: {error}') from error
