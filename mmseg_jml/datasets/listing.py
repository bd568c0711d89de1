"""Which images a dataset has, and which of its folder it leaves out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine import fileio
from mmengine.dataset import BaseDataset

from .pairs import Problem, some

SPLIT_LISTS = ('labelled.txt', 'unlabelled.txt')  # as tools/make_splits.py names them
LOOKED_AT = 32  # images, to tell whether there are masks
IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def listing_trouble(leaf: BaseDataset) -> str:
    """List the images of a dataset; say why there are none, '' if there are."""
    try:
        leaf.full_init()
        found = len(leaf)
    # A missing list is an AssertionError in mmseg.
    except (FileNotFoundError, AssertionError) as error:
        hint = list_hint(leaf.ann_file)
        return f'the dataset {type(leaf).__name__} cannot be listed: {error}{hint}'
    except ValueError:
        # MMEngine cannot serialize an empty list.
        if leaf.data_list:
            raise
        found = 0
    if found:
        return list_mistake(leaf)
    folder = leaf.data_prefix.get('img_path') or leaf.data_root
    suffix = getattr(leaf, 'img_suffix', '')
    listed = f', as listed in {leaf.ann_file!r}' if leaf.ann_file else ''
    names = [] if leaf.ann_file else _image_names(leaf)
    others = sorted({os.path.splitext(name)[1] for name in names})
    hint = f'; it holds {len(names)} images {some(others)}: set `img_suffix`'
    return f'no images *{suffix} in the folder {folder!r}{listed}{hint * bool(names)}'


def list_mistake(leaf: BaseDataset) -> str:
    """Say which line of its list a dataset reads as an image that is not there.

    Empty where all images are there, whatever the list looks like.
    """
    suffix = getattr(leaf, 'img_suffix', '')
    if not leaf.ann_file:
        return ''
    text = fileio.get_text(leaf.ann_file, backend_args=_backend_args(leaf))
    found = _mistake(text, suffix)
    if not found or not missing_images(leaf):
        return ''
    return f'the list {leaf.ann_file!r} would not be read correctly: {found}'


def _mistake(text: str, suffix: str) -> str:
    if text.startswith('\ufeff'):
        return (
            'line 1 begins with a byte order mark, which becomes a part of the name: '
            "save the list as UTF-8 without it (not as 'UTF-8 with BOM')"
        )
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            return f'line {number} is blank: delete it'
        if suffix and line.strip().lower().endswith(suffix.lower()):
            return (
                f'line {number} is {line.strip()!r}, and `img_suffix` adds {suffix!r} '
                'once more: take the suffix out of every line'
            )
    return ''


def _backend_args(leaf: BaseDataset) -> Any:
    return getattr(leaf, 'backend_args', None)


def list_hint(listed: str) -> str:
    """Who writes a list that is missing, where its name tells."""
    missing = os.path.basename(listed) in SPLIT_LISTS and not os.path.exists(listed)
    command = 'python -m mmseg_jml make-splits CONFIG'
    return f'; `{command}` writes such lists' if missing else ''


def missing_images(leaf: BaseDataset) -> list[str]:
    """The images that the list of a dataset names and that are not there."""
    if not leaf.ann_file:
        return []
    backend_args = _backend_args(leaf)
    infos = (leaf.get_data_info(index) for index in range(len(leaf)))
    paths = [info['img_path'] for info in infos if info.get('img_path')]
    return [path for path in paths if not fileio.exists(path, backend_args)]


def lacks_masks(leaf: BaseDataset) -> bool:
    """Whether none of the first images of a listed dataset has a mask."""
    first = [leaf.get_data_info(index) for index in range(min(len(leaf), LOOKED_AT))]
    paths = [info.get('seg_map_path') for info in first]
    if not any('img_path' in info for info in first):
        return False  # made up, as SyntheticShapesDataset's
    there = (path and fileio.exists(path, _backend_args(leaf)) for path in paths)
    return not any(there)


def image_paths(leaf: BaseDataset) -> set[str]:
    """The images that a listed dataset has, links resolved."""
    infos = map(leaf.get_data_info, range(len(leaf)))
    return {os.path.realpath(info['img_path']) for info in infos if 'img_path' in info}


def images_left_out(leaf: BaseDataset) -> tuple[list[Problem], list[str]]:
    """Images in the folder of a dataset that it does not load, by their suffix.

    Returns:
        Problems: files whose suffix differs from the dataset's in upper and lower case
        alone. Notes: images of another suffix, which may be there on purpose.
    """
    names = [] if leaf.ann_file else _image_names(leaf)
    suffix, folder = leaf.img_suffix if names else '', leaf.data_prefix.get('img_path')
    same = [name for name in names if name.lower().endswith(suffix.lower())]
    others = [name for name in names if name not in set(same)]
    problems, notes = [], []
    if same:
        sentence = (
            f'{len(same)} of {len(leaf) + len(same)} images in {folder} do not end in '
            f'{suffix!r} but in {some(_suffixes(same))}, so that training leaves them '
            f'out: {some(same)}'
        )
        problems.append(Problem('left out', sentence))
    if others:
        notes.append(
            f'{len(others)} images in {folder} end in {some(_suffixes(others))} and '
            f'not in {suffix!r}, so that training leaves them out: {some(others)}'
        )
    return problems, notes


def _suffixes(names: Sequence[str]) -> list[str]:
    return sorted({os.path.splitext(name)[1] for name in names})


def _image_names(leaf: BaseDataset) -> list[str]:
    """Names in the folder of images, and below, that the dataset does not load."""
    folder, suffix = leaf.data_prefix.get('img_path'), getattr(leaf, 'img_suffix', '')
    masks, ending = leaf.data_prefix.get('seg_map_path'), _mask_ending(leaf)
    if not folder or not suffix:
        return []
    names = []
    for name in _files(leaf, folder, None):
        is_mask = (
            masks
            and name.endswith(ending)
            and Path(folder, name).absolute().is_relative_to(Path(masks).absolute())
        )
        is_image = name.lower().endswith((*IMAGES, suffix.lower()))
        if is_image and not name.endswith(suffix) and not is_mask:
            names.append(name)
    return sorted(names)


def _mask_ending(leaf: BaseDataset) -> str:
    return getattr(leaf, 'seg_map_suffix', '')


def _files(leaf: BaseDataset, folder: str, suffix: str | None) -> list[str]:
    backend_args = _backend_args(leaf)
    if not fileio.isdir(folder, backend_args=backend_args):
        return []
    return list(
        fileio.list_dir_or_file(
            folder,
            list_dir=False,
            suffix=suffix,
            recursive=True,
            backend_args=backend_args,
        )
    )


def masks_without_image(
    leaf: BaseDataset, infos: Sequence[Mapping[str, Any]]
) -> Iterator[Problem]:
    """Masks that the listing of a folder of images passes over in silence.

    Those of images that `images_left_out` names are not repeated.
    """
    folder, suffix = leaf.data_prefix.get('seg_map_path'), _mask_ending(leaf)
    if leaf.ann_file or not folder or not suffix:
        return
    known = {info['seg_map_path'] for info in infos}
    left_out = {os.path.splitext(name)[0] for name in _image_names(leaf)}
    for name in sorted(_files(leaf, folder, suffix)):
        path = os.path.join(folder, name)
        if path not in known and name.removesuffix(suffix) not in left_out:
            yield Problem('missing image', f'mask {path} has no image')
