"""What a folder of images and a folder of masks hold: pairs and annotators."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..files import walk_files
from .listing import IMAGES
from .pairs import some

MASK_WORD = re.compile(r'(^|[_\-. ])(masks?|labels?|gt|seg|segmentation)$', re.I)
SAMPLED = 50  # images whose names are compared with those of all masks


class Pair(NamedTuple):
    """An image and its mask; `name + suffix` is the image's path in its folder."""

    name: str
    suffix: str
    image: Path
    mask: Path


class Pairs(NamedTuple):
    """The pairs of two folders, by name, and the files that are in none."""

    pairs: list[Pair]
    images_left: list[str]
    masks_left: list[str]


def find_pairs(
    images: Path,
    masks: Path,
    *,
    image_suffix: str | None = None,
    mask_suffix: str | None = None,
) -> Pairs:
    """Pair the images of a folder with the masks of another by their names.

    Names may differ at their ends, as `1_sat.jpg` and `1_mask.png` do. The ends under
    which most files find a partner are used. Subfolders must have the same names.

    Args:
        images: The folder of the images, searched with its subfolders.
        masks: The folder of the masks. It may lie in `images` or be the same folder.
        image_suffix: The end of the images' names, as `_sat.jpg`; found by itself
            without.
        mask_suffix: The end of the masks' names.

    Raises:
        ValueError: A folder holds no images, no names fit, or two images have one name.
    """
    files, mask_files = list_images(images), list_images(masks)
    if images.resolve() == masks.resolve():
        is_mask = _mask_test(mask_suffix)
        mask_files = [each for each in files if is_mask(each)]
    elif masks.resolve().is_relative_to(images.resolve()):
        inside = masks.resolve().relative_to(images.resolve()).as_posix()
        files = [each for each in files if not each.startswith(f'{inside}/')]
    if images.resolve() == masks.resolve():
        chosen = set(mask_files)
        files = [each for each in files if each not in chosen]
        if not mask_files:
            raise ValueError(
                f'images and masks are both in {images}, and no name ends in a word '
                f'such as _mask or _label: give the end of the names with '
                f'--mask-suffix, or give two folders'
            )
    for folder, found in ((images, files), (masks, mask_files)):
        if not found:
            raise ValueError(f'no images ({", ".join(IMAGES)}) were found in {folder}')
    ends = _given_ends(files, mask_files, image_suffix, mask_suffix)
    files = [each for each in files if each.endswith(image_suffix or '')]
    mask_files = [each for each in mask_files if each.endswith(mask_suffix or '')]
    if ends is None:
        ends = _common_ends(files, mask_files)
    of_images, of_masks = _keyed(files, ends[0]), _keyed(mask_files, ends[1])
    names = sorted(of_images.keys() & of_masks.keys())
    if not names:
        raise ValueError(
            f'no image has a mask of the same name: images are {some(files[:3])} and '
            f'masks {some(mask_files[:3])}; give the ends of both names, for example '
            f'--image-suffix _sat.jpg --mask-suffix _mask.png, or rename the files '
            f'where the names begin differently'
        )
    unlisted = [each for each in names if each.strip().splitlines() != [each]]
    if unlisted:
        raise ValueError(
            f'a list cannot hold names that begin or end with a space or have a line '
            f'break; rename the files {some([*map(repr, unlisted)])}'
        )
    pairs = [
        Pair(
            name,
            of_images[name].removeprefix(name),
            images / of_images[name],
            masks / of_masks[name],
        )
        for name in names
    ]
    used = {pair.image for pair in pairs}, {pair.mask for pair in pairs}
    return Pairs(
        pairs,
        [each for each in files if images / each not in used[0]],
        [each for each in mask_files if masks / each not in used[1]],
    )


def list_images(folder: Path) -> list[str]:
    """The image files of a folder and its subfolders, linked ones too, sorted.

    Raises:
        NotADirectoryError: There is no such folder.
        OSError: It or a subfolder cannot be read.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f'{folder} is not a folder')
    walk = walk_files(folder)
    if walk.unreadable:
        place, reason = next(iter(walk.unreadable.items()))
        raise OSError(f'the folder {place} cannot be read: {reason}')
    names = (path.relative_to(folder).as_posix() for path in walk.files)
    return sorted(name for name in names if name.lower().endswith(IMAGES))


def _mask_test(suffix: str | None):
    if suffix is not None:
        return lambda name: name.endswith(suffix)
    return lambda name: MASK_WORD.search(stem(name))


def stem(name: str) -> str:
    """A name without its file type."""
    return os.path.splitext(name)[0]


def _given_ends(
    files: Sequence[str],
    masks: Sequence[str],
    image_suffix: str | None,
    mask_suffix: str | None,
) -> tuple[str, str] | None:
    """What precedes the file type in both names, where a suffix was given."""
    if image_suffix is None and mask_suffix is None:
        return None
    for given, names in ((image_suffix, files), (mask_suffix, masks)):
        if given is not None and not any(name.endswith(given) for name in names):
            raise ValueError(f'no name ends in {given!r}: names are {some(names[:3])}')
    image_end, mask_end = (
        (given or '').rpartition('.')[0] for given in (image_suffix, mask_suffix)
    )
    return image_end, mask_end


def _common_ends(files: Sequence[str], masks: Sequence[str]) -> tuple[str, str]:
    """The ends, before the file type, under which most images have a mask."""
    stems, mask_stems = [stem(each) for each in files], [stem(m) for m in masks]
    votes: Counter[tuple[str, str]] = Counter()
    for each in stems[:: -(-len(stems) // SAMPLED)]:
        common = {mask: _common(each, mask) for mask in mask_stems}
        longest = max(common.values())
        for mask, length in common.items():
            if length == longest > 0:
                votes[each[length:], mask[length:]] += 1
    candidates = [('', ''), *(ends for ends, _ in votes.most_common(5))]
    return max(candidates, key=lambda ends: _matches(files, masks, ends))


def _common(first: str, second: str) -> int:
    """How long the common beginning is, cut back to where a word of both ends."""
    same = (a == b for a, b in zip(first, second, strict=False))
    length = next((i for i, each in enumerate(same) if not each), -1)
    length = min(len(first), len(second)) if length < 0 else length
    if min(len(first), len(second)) > length:
        while length and first[length - 1].isalpha():
            length -= 1
    while length and first[length - 1] in '_-. ' and length < len(first):
        length -= 1
    return length


def _matches(files: Sequence[str], masks: Sequence[str], ends: tuple[str, str]) -> int:
    found = [
        {stem(name).removesuffix(end) for name in names if stem(name).endswith(end)}
        for names, end in zip((files, masks), ends, strict=True)
    ]
    return len(found[0] & found[1])


def _keyed(files: Iterable[str], end: str) -> dict[str, str]:
    keyed: dict[str, str] = {}
    for each in files:
        if not stem(each).endswith(end):
            continue
        name = stem(each).removesuffix(end)
        if name in keyed:
            raise ValueError(
                f'{keyed[name]} and {each} have the same name: keep one of them, or '
                f'choose with --image-suffix and --mask-suffix'
            )
        keyed[name] = each
    return keyed


def find_raters(images: Path, masks: Path) -> list[str]:
    """The subfolders of `masks` that each hold masks of the same images, sorted.

    Empty where the subfolders are those of the images, or there are fewer than two.
    """
    folders = sorted(each.name for each in masks.iterdir() if each.is_dir())
    theirs = {name.partition('/')[0] for name in list_images(images) if '/' in name}
    if len(folders) < 2 or theirs & set(folders):
        return []
    found = []
    for folder in folders:
        try:
            pairs = find_pairs(images, masks / folder)
        except ValueError:
            continue
        if len(pairs.pairs) >= len(pairs.images_left):
            found.append(folder)
    return found if len(found) > 1 else []
