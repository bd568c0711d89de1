"""Turn a dataset's masks into label maps: what the converters have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..files import write_whole
from .files import png
from .parallel import DEFAULT_WORKERS, parallel_map
from .reading import Reader


class Conversion(NamedTuple):
    """The paths of a mask to convert, of the label map to write and of the image."""

    mask: Path
    label: Path
    picture: Path


def convert_masks(
    conversions: Sequence[Conversion],
    read: Callable[[Path], np.ndarray],
    *,
    workers: int = DEFAULT_WORKERS,
) -> list[str]:
    """Write the label map of every mask that has none yet.

    Each label map is written completely or not at all, so to continue after a crash
    start the conversion again. A bad file is reported, and the others are converted.

    Args:
        conversions: What to convert. Label maps are PNG files.
        read: Gives the (H, W) uint8 label map of a mask.
        workers: How many threads.

    Returns:
        One sentence for each mask that could not be converted: it is missing, cannot be
        read, or does not have the size of its image.
    """
    todo = [conversion for conversion in conversions if not conversion.label.exists()]
    total = len(conversions)
    if len(todo) < total:
        print(f'{total - len(todo)} of {total} masks are already converted')
    outcomes = parallel_map(
        lambda conversion: _convert(conversion, read),
        todo,
        workers=workers,
        what='masks',
    )
    return [sentence for sentence in outcomes if sentence]


def _convert(conversion: Conversion, read: Callable[[Path], np.ndarray]) -> str | None:
    try:
        if not conversion.mask.exists():
            return f'mask {conversion.mask} is missing'
        label = read(conversion.mask)
        size = Reader().look({'img_path': str(conversion.picture)}, decode=True).size
        if label.shape != size:
            sizes = f'{_by(label.shape)}, but its image is {_by(size)}'
            return f'mask {conversion.mask} is {sizes}'
        write_whole(conversion.label, png(label))
    except Exception as error:  # readers raise what they like on broken files
        text = str(error) or type(error).__name__
        named = str(conversion.mask) in text or str(conversion.picture) in text
        return text if named else f'mask {conversion.mask} cannot be converted: {text}'
    return None


def _by(size: tuple[int, ...]) -> str:
    return 'x'.join(str(length) for length in size[::-1])


def write_list(path: Path, names: Sequence[str]) -> None:
    """Write a list with one name on each line, for use as `ann_file`."""
    write_whole(path, ''.join(f'{name}\n' for name in names).encode())


def finish(problems: Sequence[str]) -> int:
    """Print what failed, and return the exit status: 1 if anything failed, else 0."""
    for sentence in problems:
        print(f'error: {sentence}')
    print(f'{len(problems)} problem(s)' if problems else 'done')
    return int(bool(problems))
