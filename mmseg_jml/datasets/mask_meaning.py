"""Which classes the values of all masks stand for, and the ids that they become."""

from __future__ import annotations

import colorsys
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .mask_values import IGNORED, MOST_VALUES, Values, colour_of, read_values
from .pairs import some

LEVELS_APART = 10  # ids count one by one; grey levels lie at least so far apart


class Meaning(NamedTuple):
    """What the values of all masks mean.

    Attributes:
        kind: For people.
        classes: Their names, by id.
        palette: Their (R, G, B), by id.
        ids: The id of every value; None where the files hold the ids already.
        coloured: Whether the values are colours.
        from_one: Whether ids count from 1, and 0 is ignored (`reduce_zero_label`).
        pixels: Of each class.
        threshold: As in `read_values`.
    """

    kind: str
    classes: list[str]
    palette: list[tuple[int, int, int]]
    ids: dict[int, int] | None
    coloured: bool
    from_one: bool
    pixels: list[int]
    threshold: int | None = None


def read_classes(given: Sequence[str]) -> dict[str, tuple[int, int, int] | None]:
    """Class names, and their colours where a file has them.

    Args:
        given: The names; or one path of a file with a class in each line, the name
            alone or with red, green and blue after it, by commas or spaces. A first
            line without numbers among lines with them is a heading.

    Raises:
        ValueError: A name occurs twice, or a line is neither.
    """
    if len(given) != 1 or not Path(given[0]).is_file():
        rows: list[tuple[str, tuple[int, int, int] | None]] = [(n, None) for n in given]
    else:
        text = Path(given[0]).read_text('utf-8-sig')
        rows = [_class_row(line) for line in text.splitlines() if line.strip()]
        if len(rows) > 1 and rows[0][1] is None and rows[1][1] is not None:
            rows = rows[1:]
    twice = [name for name, count in Counter(n for n, _ in rows).items() if count > 1]
    if twice:
        raise ValueError(
            f'`--classes` must name each class once, but names twice: {twice}'
        )
    return dict(rows)


def _class_row(line: str) -> tuple[str, tuple[int, int, int] | None]:
    by_comma = next(csv.reader([line]))
    words = by_comma if len(by_comma) > 1 else line.split()
    words = [word.strip() for word in words]
    numbers = words[-3:]
    if len(words) >= 4 and all(word.isdigit() and int(word) < 256 for word in numbers):
        red, green, blue = map(int, numbers)
        return ' '.join(words[:-3]), (red, green, blue)
    return (words[0] if len(by_comma) > 1 else line.strip()), None


def explain(
    masks: Sequence[Values],
    *,
    given: Mapping[str, tuple[int, int, int] | None] | None = None,
    ignore: Sequence[str] = (),
) -> Meaning:
    """What the values of all masks mean.

    Args:
        masks: All masks; either all or none with colours.
        given: The classes' names, in the order of ids or, where the masks hold
            colours, with their colours or in the order of these (by red, green, blue).
        ignore: Classes whose pixels are left out of training and figures.

    Raises:
        ValueError: Only one value occurs, values that are no class, or names do not
            fit.
    """
    totals: Counter[int] = Counter()
    for mask in masks:
        totals.update(mask.pixels)
    coloured = any(mask.coloured for mask in masks)
    if len(totals) < 2:
        value = colour_of(min(totals)) if coloured else min(totals)
        raise ValueError(
            f'every pixel of all masks is {value}: there is only one class'
        )
    if len(totals) > MOST_VALUES:
        raise ValueError(
            f'the masks hold {len(totals)} different values, and at most {IGNORED} '
            f'classes can be told apart: do they number objects instead of classes?'
        )
    if coloured:
        return _of_colours(totals, given, ignore)
    return _of_numbers(totals, masks, given, ignore)


def _of_colours(
    totals: Mapping[int, int],
    given: Mapping[str, tuple[int, int, int] | None] | None,
    ignore: Sequence[str],
) -> Meaning:
    codes = sorted(totals)
    if given and None not in given.values():
        codes = [(r << 16) + (g << 8) + b for r, g, b in filter(None, given.values())]
        unknown = [colour_of(code) for code in sorted(totals.keys() - set(codes))]
        if unknown:
            raise ValueError(
                f'the masks hold colours that `--classes` does not: {some(unknown)}'
            )
    levels = all(len(set(colour_of(code))) == 1 for code in totals)
    kind = 'grey levels stored as RGB colours' if levels else 'RGB colours'
    two = set(totals) == {0, 0xFFFFFF}
    names = _names(given, len(codes), binary=two)
    colours = [colour_of(code) for code in codes]
    return _meaning(kind, codes, names, colours, totals, True, ignore)


def _of_numbers(
    totals: Mapping[int, int],
    masks: Sequence[Values],
    given: Mapping[str, tuple[int, int, int] | None] | None,
    ignore: Sequence[str],
) -> Meaning:
    values = sorted(totals)
    if values == [0, IGNORED]:
        names = _names(given, 2, binary=True)
        return _meaning(
            'black and white (0 and 255)',
            values,
            names,
            _palette(2),
            totals,
            False,
            ignore,
        )
    palettes = [each.palette for each in masks if each.palette is not None]
    if values[-1] > IGNORED or (not palettes and _are_levels(values)):
        names = _names(given, len(values), binary=len(values) == 2)
        kind = f'grey levels ({some(values)})'
        colours = _palette(len(values))
        return _meaning(kind, values, names, colours, totals, False, ignore)
    ids = [value for value in values if value != IGNORED]
    from_one = ids[0] == 1 and not (given and ids[-1] == len(given) - 1)
    first = int(from_one)
    count = max(ids[-1] + 1 - first, len(given or ()))
    if count < 2:
        raise ValueError(f'the masks hold only the id {some(ids)} and ignored pixels')
    names = _names(given, count, binary=count == 2)
    colours = _palette(count)
    if palettes and len(palettes[0]) >= count + first:
        colours = [
            tuple(colour) for colour in palettes[0][first : count + first].tolist()
        ]
    kind = 'class ids' + (' with a palette' if palettes else '')
    codes = list(range(first, count + first))
    meaning = _meaning(kind, codes, names, colours, totals, False, ignore)
    if ignore or not all(mask.flat for mask in masks):
        known = meaning.ids or {}
        return meaning._replace(ids={v: known.get(v, IGNORED) for v in (0, *values)})
    return meaning._replace(ids=None, from_one=from_one)


def _are_levels(values: Sequence[int]) -> bool:
    """Whether values lie far and about equally far apart, as 0, 128 and 255 do.

    0, 15 and 255 do not: those are two classes of many, and ignored pixels.
    """
    gaps = np.diff(values)
    if len(values) == 2 and values[0] != 0:
        return False
    return bool(gaps.min() >= LEVELS_APART and gaps.max() <= 2 * gaps.min())


def _names(
    given: Mapping[str, object] | None, count: int, *, binary: bool
) -> list[str]:
    if given is None:
        plain = [f'class_{index}' for index in range(count)]
        return ['background', 'foreground'] if binary else plain
    if len(given) != count:
        raise ValueError(
            f'`--classes` must name {count} classes, as the masks hold, got '
            f'{len(given)}: {some(list(given))}'
        )
    return list(given)


def _meaning(
    kind: str,
    codes: Sequence[int],
    names: Sequence[str],
    colours: Sequence[tuple[int, ...]],
    totals: Mapping[int, int],
    coloured: bool,
    ignore: Sequence[str],
) -> Meaning:
    unknown = [name for name in ignore if name not in names]
    if unknown:
        raise ValueError(f'`--ignore` must name some of {names}, got {unknown}')
    kept = [index for index, name in enumerate(names) if name not in ignore]
    if len(kept) < 2:
        raise ValueError(
            f'`--ignore` must leave at least two classes, got {list(ignore)}'
        )
    place = {codes[index]: new for new, index in enumerate(kept)}
    return Meaning(
        kind,
        [names[index] for index in kept],
        [tuple(colours[index]) for index in kept],
        {code: place.get(code, IGNORED) for code in codes},
        coloured,
        False,
        [totals.get(codes[index], 0) for index in kept],
    )


def _palette(count: int) -> list[tuple[int, int, int]]:
    """Colours that differ as far as may be; black is first."""
    hues = [(index * 0.618034) % 1 for index in range(count - 1)]
    rgb = [colorsys.hsv_to_rgb(hue, 0.75, 0.9) for hue in hues]
    bright = [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in rgb]
    return [(0, 0, 0), *bright]


def to_ids(path: Path, meaning: Meaning) -> np.ndarray:
    """(H, W) uint8 ids of a mask.

    Raises:
        ValueError: It holds a value that is no class, or cannot be read.
    """
    values, found = read_values(
        path, coloured=meaning.coloured, threshold=meaning.threshold
    )
    known = meaning.ids
    if known is None:
        return values.astype(np.uint8)
    unknown = sorted(found.pixels.keys() - known.keys())
    if unknown:
        shown = [colour_of(code) if found.coloured else code for code in unknown]
        raise ValueError(f'mask {path} holds {some(shown)}, which is not a class')
    codes = np.array(sorted(known))
    ids = np.array([known[code] for code in codes.tolist()], np.uint8)
    return ids[np.searchsorted(codes, values)]
