"""Find the images to predict: in a folder, in a list, or a single one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ...files import walk_files

SUFFIXES = (
    *('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.bmp', '.tif', '.tiff', '.webp'),
    *('.jp2', '.pgm', '.ppm'),
)
# Images too, but of formats that most loaders do not read.
OTHER_SUFFIXES = (
    *('.avif', '.dcm', '.exr', '.gif', '.hdr', '.heic', '.heif', '.img', '.jxl'),
    *('.nii', '.npy', '.pbm', '.pnm', '.svs', '.tga', '.vrt'),
)
LIST = '.txt'
SHOWN = 5  # names in a message


class Images(NamedTuple):
    """The images to predict, and what else was found."""

    root: Path
    names: list[Path]  # relative to `root`, sorted
    left_out: dict[Path, str]  # what cannot be predicted, relative to `root`, and why
    notes: list[str]  # sentences on what was passed over


def find_images(source: Path, out: Path) -> Images:
    """Find the images of a folder, of a list (a `.txt` file), or a single image.

    In a folder and its subfolders, these are the files with a suffix in `SUFFIXES`,
    except those in `out`. A list has one path on each line; a relative path starts at
    the folder of the list.

    Raises:
        FileNotFoundError: `source` does not exist, or no file in the list exists.
        ValueError: There is no image, or `out` is the folder of the images.
    """
    if source.is_dir():
        return _of_folder(source, out)
    if not source.exists():
        raise FileNotFoundError(
            f'`IMAGES` must be an image, a list of images ({LIST}) or a folder, '
            f'but {source} does not exist'
        )
    if source.suffix.lower() == LIST:
        return _of_list(source)
    return Images(source.parent, [Path(source.name)], {}, [])


def _of_folder(folder: Path, out: Path) -> Images:
    if out.resolve() == folder.resolve():
        raise ValueError(f'`--out` must not be the folder of the images, got {out}')
    walk = walk_files(folder)
    outputs = out.resolve()
    found = [path for path in walk.files if outputs not in path.resolve().parents]
    images = [path for path in found if path.suffix.lower() in SUFFIXES]
    others = [path for path in found if path.suffix.lower() not in SUFFIXES]
    reason = f'predict reads {", ".join(SUFFIXES)}; put the file in a list to try it'
    left_out = {
        path: f'it has another format: {reason}'
        for path in others
        if path.suffix.lower() in OTHER_SUFFIXES
    }
    left_out |= {
        path: f'the folder cannot be read: {why}'
        for path, why in walk.unreadable.items()
    }
    if not images:
        raise ValueError(
            f'There is no image in {folder}. `predict` looks for files that end in '
            f'{", ".join(SUFFIXES)}.'
        )
    return Images(
        folder,
        sorted(path.relative_to(folder) for path in images),
        {path.relative_to(folder): why for path, why in left_out.items()},
        _notes(walk.loops, [path for path in others if path not in left_out]),
    )


def _notes(loops: Sequence[Path], others: Sequence[Path]) -> list[str]:
    notes = [
        f'{path} links to a folder that contains it, and is not followed'
        for path in loops
    ]
    if others:
        notes.append(f'{len(others)} files are not images: {shortened(others)}')
    return notes


def _of_list(source: Path) -> Images:
    lines = source.read_text(encoding='utf-8-sig').splitlines()
    folder = Path(os.path.abspath(source.parent))
    paths = [
        Path(os.path.normpath(folder / line.strip())) for line in lines if line.strip()
    ]
    if not paths:
        raise ValueError(
            f'{source} has no paths of images: write one path on each line'
        )
    if not any(path.exists() for path in paths):
        raise FileNotFoundError(
            f'No image that {source} lists exists. Each line must be a path with its '
            f'suffix, relative to {folder}; the first is {paths[0]}.'
        )
    root = folder
    if not all(path.is_relative_to(folder) for path in paths):
        root = Path(os.path.commonpath([path.parent for path in paths]))
    return Images(root, sorted({path.relative_to(root) for path in paths}), {}, [])


def check_outputs(
    images: Images, outputs: Iterable[tuple[Path, Sequence[Path]]]
) -> None:
    """Raise if outputs would overwrite each other or an image.

    Args:
        images: All the images.
        outputs: The name of each image and the files that will be written for it.

    Raises:
        ValueError: Two images would share a file, or a file is one of the images.
    """
    inputs = {os.path.abspath(images.root / name) for name in images.names}
    owners: dict[Path, Path] = {}
    for name, files in outputs:
        for file in files:
            other = owners.setdefault(file, name)
            if other != name:
                raise ValueError(
                    f'{other} and {name} would both be written to {file}: rename one '
                    'of them, or write their predictions to two folders'
                )
            if os.path.abspath(file) in inputs:
                raise ValueError(
                    f'the output {file} would overwrite an image: choose another '
                    '`--out`'
                )


def shortened(names: Sequence[object]) -> str:
    """List the first of many names.

    >>> shortened('abcdefg')
    'a, b, c, d, e, ...'
    """
    rest = ['...'] if len(names) > SHOWN else []
    return ', '.join([*map(str, names[:SHOWN]), *rest])
