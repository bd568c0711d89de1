"""What a TIFF file holds: bands, bit depth, pages, an alpha tag."""

from __future__ import annotations

import os
from collections.abc import Iterator

from PIL.TiffImagePlugin import ImageFileDirectory_v2

SUFFIXES = ('.tif', '.tiff')
BITS, BANDS, PLANAR, EXTRA, SAMPLES = 258, 277, 284, 338, 339  # tags
FLOAT = 3  # of SAMPLES
ALPHA = (1, 2)  # of EXTRA: associated and unassociated alpha
MOST_PAGES = 1000  # a damaged file may be a circle
BIG = 43  # where other files have 42: an address has 8 bytes


def is_tiff(path: str) -> bool:
    """Whether a file on disk is a TIFF by its name."""
    return path.lower().endswith(SUFFIXES) and os.path.isfile(path)


def describe_tiff(path: str) -> str:
    """Describe a TIFF file in words; Pillow itself opens only some kinds.

    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Image.new('I;16', (4, 3)).save(f'{folder}/a.tif')
    ...     describe_tiff(f'{folder}/a.tif')
    'TIFF, 1 band of 16 bits'
    """
    try:
        pages = list(_pages(path))
        first = pages[0]
        bands = first.get(BANDS, 1)
        bits = first.get(BITS, (1,))
    except Exception as error:  # a damaged file: whatever the parser stumbles over
        return f'TIFF with a broken header ({error})'
    depth = ' or '.join(dict.fromkeys(map(str, bits)))
    words = f'TIFF, {bands} band{"s" * (bands > 1)} of {depth} bits'
    if FLOAT in first.get(SAMPLES, ()):
        words += ' (float)'
    if first.get(PLANAR) == 2 and bands > 1:
        words += ', one band after the other (planar)'
    extra = first.get(EXTRA, ())
    tagged = [bands - len(extra) + i + 1 for i, k in enumerate(extra) if k in ALPHA]
    if tagged:
        words += f', band {tagged[0]} tagged as alpha'
    if len(pages) > 1:
        words += f', {len(pages)} pages'
    return words


def _pages(path: str) -> Iterator[ImageFileDirectory_v2]:
    with open(path, 'rb') as file:
        start = file.read(8)
        if BIG in start[2:4]:
            start += file.read(8)
        page = ImageFileDirectory_v2(start)
        for _ in range(MOST_PAGES):
            if not page.next:
                return
            file.seek(page.next)
            page = ImageFileDirectory_v2(start)
            page.load(file)
            yield page
