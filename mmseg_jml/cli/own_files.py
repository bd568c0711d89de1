"""The files that `new-config` writes next to a config: id masks and lists."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .config_text import Source

if TYPE_CHECKING:
    from ..datasets.division import Split
    from ..datasets.folder import Pair
    from ..datasets.mask_meaning import Meaning


class Rater(NamedTuple):
    """One annotator: the name, which is '' if there is only one, and the pairs."""

    name: str
    pairs: list[Pair]


def id_masks(
    raters: Sequence[Rater], meaning: Meaning, data: Path, args: argparse.Namespace
) -> tuple[list[str], str]:
    """Convert masks if necessary; return each annotator's folder, and the suffix.

    Raises:
        ValueError: Some masks cannot be converted.
    """
    suffixes = {
        str(pair.mask).removeprefix(f'{folder}/').removeprefix(pair.name)
        for rater in raters
        for folder in [args.masks / rater.name if rater.name else args.masks]
        for pair in rater.pairs
    }
    as_they_are = meaning.ids is None and meaning.threshold is None
    if as_they_are and len(suffixes) == 1:
        return [absolute(args.masks / rater.name) for rater in raters], suffixes.pop()
    folders = []
    for rater in raters:
        folder = data / 'masks' / rater.name
        _convert(rater, meaning, folder, args)
        folders.append(absolute(folder))
    print(f'The masks were converted to class ids in {data / "masks"}.')
    return folders, '.png'


def _convert(
    rater: Rater, meaning: Meaning, folder: Path, args: argparse.Namespace
) -> None:
    from ..datasets.convert import Conversion, convert_masks
    from ..datasets.mask_meaning import to_ids
    from ..datasets.parallel import DEFAULT_WORKERS
    from ..files import write_whole

    jobs = {
        pair.name: Conversion(pair.mask, folder / f'{pair.name}.png', pair.image)
        for pair in rater.pairs
    }
    made_from = {
        'threshold': meaning.threshold,
        'ids': [list(each) for each in sorted((meaning.ids or {}).items())],
        'masks': {name: _state(job.mask) for name, job in jobs.items()},
    }
    note = folder / 'made_from.json'
    before = json.loads(note.read_text('utf-8')) if note.is_file() else {}
    same = all(before.get(key) == made_from[key] for key in ('threshold', 'ids'))
    for name, job in jobs.items():
        if not same or before['masks'].get(name) != made_from['masks'][name]:
            job.label.unlink(missing_ok=True)
    write_whole(note, json.dumps(made_from).encode())
    workers = args.workers or DEFAULT_WORKERS
    problems = convert_masks(
        [*jobs.values()], lambda path: to_ids(path, meaning), workers=workers
    )
    if problems:
        raise ValueError(f'{len(problems)} masks cannot be converted: {problems[0]}')


def _state(path: Path) -> list:
    """A value that changes when the file is replaced by another one."""
    found = path.stat()
    return [str(path.resolve()), found.st_size, found.st_mtime_ns]


def sources(
    raters: Sequence[Rater], split: Split, folders: Sequence[str], data: Path
) -> dict[str, list[Source]]:
    """Write lists, one for each suffix of images; return the sources of each split."""
    from ..datasets.convert import write_list

    found_in: dict[str, list[Source]] = {part: [] for part in split.parts}
    for place, rater in enumerate(raters):
        of_name = {pair.name: pair for pair in rater.pairs}
        for part, names in split.parts.items():
            if place and part != 'train':
                continue
            pairs = [of_name[name] for name in names if name in of_name]
            pairs.sort(key=lambda pair: (pair.suffix, pair.name))
            parted = [(s, [*found]) for s, found in groupby(pairs, lambda p: p.suffix)]
            for suffix, found in parted:
                ends = [rater.name] * bool(rater.name)
                ends += [suffix.strip('._')] * (len(parted) > 1)
                path = data / f'{"-".join([part, *ends])}.txt'
                write_list(path, [pair.name for pair in found])
                found_in[part].append(Source(path.name, folders[place], suffix))
    empty = [part for part, found in found_in.items() if not found]
    if empty:
        raise ValueError(
            f'{raters[0].name} has no masks for the split {", ".join(empty)}'
        )
    found_in.setdefault('test', found_in['val'])
    return found_in


def absolute(path: Path) -> str:
    """The absolute path, so that the config can be used in any folder."""
    return str(path.resolve())
