"""What a folder of images and a folder of masks hold: pairs, annotators, splits."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .groups import FOLDER, deal, groups_of, guess_rule
from .listing import IMAGES
from .pairs import some

MASK_WORD = re.compile(r'(^|[_\-. ])(masks?|labels?|gt|seg|segmentation)$', re.I)
SPLIT_WORDS = {
    'train': ('train', 'training'),
    'val': ('val', 'valid', 'validation', 'dev'),
    'test': ('test', 'testing'),
}
SHARES = {'train': 0.7, 'val': 0.15, 'test': 0.15}
LIST_FOLDERS = ('.', 'splits', 'lists', 'ImageSets/Segmentation')
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
    """
    if not folder.is_dir():
        raise NotADirectoryError(f'{folder} is not a folder')
    return sorted(_walk(folder))


def _walk(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder, followlinks=True):
        inside = Path(place).relative_to(folder)
        for name in names:
            if name.lower().endswith(IMAGES) and not name.startswith('.'):
                yield (inside / name).as_posix()


def _mask_test(suffix: str | None):
    if suffix is not None:
        return lambda name: name.endswith(suffix)
    return lambda name: MASK_WORD.search(_stem(name))


def _stem(name: str) -> str:
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
    return _stem(image_suffix or ''), _stem(mask_suffix or '')


def _common_ends(files: Sequence[str], masks: Sequence[str]) -> tuple[str, str]:
    """The ends, before the file type, under which most images have a mask."""
    stems, mask_stems = [_stem(each) for each in files], [_stem(m) for m in masks]
    votes: Counter[tuple[str, str]] = Counter()
    for stem in stems[:: -(-len(stems) // SAMPLED)]:
        common = {mask: _common(stem, mask) for mask in mask_stems}
        longest = max(common.values())
        for mask, length in common.items():
            if length == longest > 0:
                votes[stem[length:], mask[length:]] += 1
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
        {_stem(name).removesuffix(end) for name in names if _stem(name).endswith(end)}
        for names, end in zip((files, masks), ends, strict=True)
    ]
    return len(found[0] & found[1])


def _keyed(files: Iterable[str], end: str) -> dict[str, str]:
    keyed: dict[str, str] = {}
    for each in files:
        stem = _stem(each)
        if not stem.endswith(end):
            continue
        name = stem.removesuffix(end)
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


class Split(NamedTuple):
    """The names of train, val and test, and a sentence that says what chose them."""

    parts: dict[str, list[str]]
    how: str


def choose_split(
    names: Sequence[str],
    images: Path,
    *,
    lists: Path | None = None,
    groups: str | None = None,
    seed: int = 0,
) -> Split:
    """Which images train, validate and test.

    By subfolders named train, val and test; otherwise by lists `train.txt`, `val.txt`,
    `test.txt`; otherwise 70, 15 and 15 per cent at random, where groups stay whole.
    Validation images that are missing are taken from training.

    Args:
        names: All images' names.
        images: Their folder: lists are looked for beside it.
        lists: The folder of the lists.
        groups: A rule of `groups_of`; guessed from the names without.
        seed: Of the random split.

    Raises:
        ValueError: There are too few images or groups, or lists name unknown images.
    """
    parts, how = (None if lists else _by_folders(names)), 'by the subfolders'
    if parts is None:
        folder = _list_folder(images) if lists is None else lists
        if folder is not None:
            parts, how = _by_lists(names, folder), f'by the lists in {folder}'
    wanted = [part for part in SHARES if parts is None or part == 'train']
    if parts and 'val' not in parts and 'test' in parts:
        wanted = ['train', 'val']
    elif parts and 'val' not in parts:
        wanted = ['train', 'val', 'test']
    if parts is None:
        how = 'at random, since neither subfolders nor lists say which'
    if len(wanted) > 1:
        whole = list(parts['train'] if parts else names)
        dealt, rule = _dealt(whole, wanted, groups, seed)
        if parts:
            how += f'; {" and ".join(wanted[1:])} were taken from train'
        parts, how = {**(parts or {}), **dealt}, f'{how}; {rule}'
    return Split({part: sorted(parts[part]) for part in SHARES if parts.get(part)}, how)


def _dealt(
    names: list[str], wanted: Sequence[str], rule: str | None, seed: int
) -> tuple[dict[str, list[str]], str]:
    if len(names) < len(wanted):
        raise ValueError(
            f'{len(wanted)} sets ({", ".join(wanted)}) need at least as many images, '
            f'there are {len(names)}'
        )
    rule = rule or guess_rule(names, len(wanted))
    found = groups_of(names, rule) if rule else names
    indices = deal(found, [SHARES[part] for part in wanted], seed=seed)
    said = (
        'every image on its own, since neither names nor subfolders tell groups'
        if rule is None
        else f'{len(set(found))} groups were kept whole, by '
        + ('subfolder' if rule == FOLDER else f'the beginning {rule} of the names')
    )
    parts = [[names[index] for index in part] for part in indices]
    return dict(zip(wanted, parts, strict=True)), said


def _by_folders(names: Sequence[str]) -> dict[str, list[str]] | None:
    """The images of each split by their topmost subfolder, None if those are others."""
    words = {word: part for part, all_ in SPLIT_WORDS.items() for word in all_}
    parts: dict[str, list[str]] = {}
    for name in names:
        folder, _, rest = name.partition('/')
        part = words.get(folder.lower()) if rest else None
        if part is None:
            return None
        parts.setdefault(part, []).append(name)
    return parts if 'train' in parts else None


def _list_folder(images: Path) -> Path | None:
    places = [images, *(images.parent / inside for inside in LIST_FOLDERS)]
    return next((each for each in places if (each / 'train.txt').is_file()), None)


def _by_lists(names: Sequence[str], folder: Path) -> dict[str, list[str]]:
    """The images of each list; a line may have the file type or folders in front."""
    by_stem = {name: name for name in names} | {Path(n).name: n for n in names}
    parts = {}
    for part in SHARES:
        path = folder / f'{part}.txt'
        if not path.is_file():
            continue
        lines = path.read_text('utf-8-sig').splitlines()
        listed = [line.split()[0] for line in lines if line.strip()]
        found = [_named(line, by_stem) for line in listed]
        unknown = [line for line, name in zip(listed, found, strict=True) if not name]
        if unknown:
            raise ValueError(
                f'{path} names {len(unknown)} images that are not there or have no '
                f'mask: {some(unknown)}'
            )
        parts[part] = sorted({name for name in found if name})
    if 'train' not in parts:
        raise ValueError(f'there is no list train.txt in {folder}')
    taken: dict[str, str] = {}
    for part, found in parts.items():
        shared = [name for name in found if name in taken]
        if shared:
            raise ValueError(
                f'{taken[shared[0]]}.txt and {part}.txt in {folder} both name '
                f'{some(shared)}'
            )
        taken |= dict.fromkeys(found, part)
    return parts


def _named(line: str, by_stem: dict[str, str]) -> str | None:
    stem = _stem(line) if line.lower().endswith(IMAGES) else line
    for each in (stem, Path(stem).name):
        if each in by_stem:
            return by_stem[each]
    # What precedes the file type may belong to the suffix, as `_sat` does.
    short = [name for name in by_stem if stem.startswith(name)]
    return by_stem[max(short, key=len)] if short else None
