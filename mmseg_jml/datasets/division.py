"""Which images of a folder train, validate and test: by subfolders, lists or groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .folder import stem
from .groups import FOLDER, deal, groups_of, guess_rule
from .listing import IMAGES
from .pairs import some

SPLIT_WORDS = {
    'train': ('train', 'training'),
    'val': ('val', 'valid', 'validation', 'dev'),
    'test': ('test', 'testing'),
}
SHARES = {'train': 0.7, 'val': 0.15, 'test': 0.15}
LIST_FOLDERS = ('.', 'splits', 'lists', 'ImageSets/Segmentation')


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
    short = Counter(Path(name).name for name in names)
    # A name without its folders stands for an image only where no other has it.
    by_stem = {Path(n).name: n for n in names if short[Path(n).name] == 1}
    by_stem |= {name: name for name in names}
    parts = {}
    for part in SHARES:
        path = folder / f'{part}.txt'
        if not path.is_file():
            continue
        lines = path.read_text('utf-8-sig').splitlines()
        listed = [line.strip() for line in lines if line.strip()]
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
    """The image that a line names: all of it, or its first word."""
    first = line.split()[0]
    words = (first,) if first.lower().endswith(IMAGES) else (line, first)
    found = (_known(word, by_stem) for word in words)
    return next((name for name in found if name), None)


def _known(path: str, by_stem: dict[str, str]) -> str | None:
    path = path.replace('\\', '/').removeprefix('./')
    short = stem(path) if path.lower().endswith(IMAGES) else path
    for each in (short, Path(short).name):
        if each in by_stem:
            return by_stem[each]
    # What precedes the file type may belong to the suffix, as `_sat` does; the digits
    # of another image's number do not.
    for end in range(len(short) - 1, 0, -1):
        if short[:end] in by_stem and re.fullmatch(r'[_\-.][a-zA-Z]+', short[end:]):
            return by_stem[short[:end]]
    return None
