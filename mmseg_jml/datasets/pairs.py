"""One image and its mask: do they fit each other and the classes?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .files import JPEG, ColourMaskError, FractionError, Mask
from .reading import Entry, Look, Reader, class_of_ids
from .tiff import describe_tiff, is_tiff

MOST_SAMPLED = 512  # pixels of a colour mask in each direction
COUNTED = 2**16  # ids up to here are counted in a table
IGNORED_ID = 255  # whatever the loss ignores, `LoadAnnotations` pads with it
LEAST_KNOWN = 0.5  # of a colour mask's pixels, to say that it has the classes' colours


class Problem(NamedTuple):
    """What is wrong with a file: the kind, a key of `report.ADVICE`, and a sentence."""

    kind: str
    sentence: str


class Pair(NamedTuple):
    """What was found in one image and its mask.

    Attributes:
        problems: What is wrong.
        pixels: How many pixels of the mask have each id of the file; empty where the
            mask could not be read.
        notes: Descriptions of TIFF files.
    """

    problems: list[Problem]
    pixels: dict[int, int]
    notes: tuple[str, ...] = ()


class MaskRules(NamedTuple):
    """The classes, their colours and the ignored id that a mask must fit."""

    num_classes: int
    palette: Sequence[Sequence[int]] = ()
    ignored: int = 255


def inspect_pair(
    entry: Entry, rules: MaskRules, reader: Reader, *, decode: bool = False
) -> Pair:
    """Look at one image and its mask.

    Args:
        entry: As `get_data_info` of a `BaseSegDataset` gives it. Without a
            `seg_map_path` the image is not labelled.
        rules: What its mask must fit.
        reader: How its dataset reads files.
        decode: Read the image's pixels too, not only its size.
    """
    problems: list[Problem] = []
    mask, pixels, notes = None, {}, []
    path = entry.get('seg_map_path')
    if path is not None:
        mask = _read_mask(entry, rules, reader, problems)
    if mask is not None:
        pixels = _count(mask.ids)
        if decode and is_tiff(path):
            notes.append(f'masks: {describe_tiff(path)}')
    shape = None if mask is None else mask.ids.shape
    look = _look(entry, reader, problems, decode=decode, like=shape)
    if look and look.note:
        notes.append(f'images: {look.note}')
    if mask is not None:
        if look and look.size != shape:
            sentence = f'mask {path} is {shape}, but its image is {look.size} (H, W)'
            problems.append(Problem('sizes differ', sentence))
        names = reader.names(entry)
        problems += _mask_problems(path, mask, pixels, names, rules)
    return Pair(problems, pixels, tuple(notes))


def _look(
    entry: Entry, reader: Reader, problems: list[Problem], **options: Any
) -> Look | None:
    if not entry.get('img_path'):
        return None
    try:
        return reader.look(entry, **options)
    except FileNotFoundError as error:
        problems.insert(0, Problem('missing image', str(error)))
    except ValueError as error:
        problems.insert(0, Problem('unreadable image', str(error)))
    return None


def _read_mask(
    entry: Entry, rules: MaskRules, reader: Reader, problems: list[Problem]
) -> Mask | None:
    try:
        return reader.mask(entry)
    except FileNotFoundError as error:
        problems.append(Problem('missing mask', str(error)))
    except ColourMaskError as error:
        sentence = f'{error}{_colour_hint(error.pixels, rules.palette)}'
        problems.append(Problem('colour mask', sentence))
    except FractionError as error:
        problems.append(Problem('not whole numbers', str(error)))
    except ValueError as error:
        problems.append(Problem('unreadable mask', str(error)))
    return None


def _count(ids: np.ndarray) -> dict[int, int]:
    small = ids.dtype == np.uint8 or (ids.min() >= 0 and ids.max() < COUNTED)
    if small:  # much faster than to sort
        counts = np.bincount(ids.ravel())
        found = counts.nonzero()[0]
        return dict(zip(found.tolist(), counts[found].tolist(), strict=True))
    found, counts = np.unique(ids, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _mask_problems(
    path: str, mask: Mask, pixels: dict[int, int], names: Entry, rules: MaskRules
) -> list[Problem]:
    problems, ids = [], sorted(pixels)
    if mask.format in JPEG:
        sentence = (
            f'mask {path} is stored as JPEG, which changes ids: it holds '
            f'{some(ids)}, and even those that are classes may be wrong'
        )
        return [Problem('lossy mask', sentence)]
    wrong = wrong_ids(ids, names, rules)
    if wrong:
        kind, hint = _guess(ids, wrong, names, rules)
        sentence = (
            f'mask {path} holds the ids {some(wrong)}, but {rules.num_classes} '
            f'classes allow {_allowed(names, rules)}, and {rules.ignored} for ignored '
            f'pixels'
            f'{hint}'
        )
        problems.append(Problem(kind, sentence))
    moved = _moved_ids(mask, ids, rules.palette, class_of_ids(names))
    if moved:
        now, then = moved
        sentence = (
            f'mask {path} paints id {now} in the colour of class {then}: its ids '
            f'may have been renumbered when it was saved'
        )
        problems.append(Problem('renumbered palette', sentence))
    return problems


def wrong_ids(ids: Sequence[int], names: Entry, rules: MaskRules) -> list[int]:
    """The ids of a file of which the training makes neither a class nor ignored."""
    classes = class_of_ids(names)
    # LoadAnnotations lets larger ones wrap around.
    fit = {
        i
        for i in ids
        if 0 <= i < 256
        and (classes[i] < rules.num_classes or classes[i] == rules.ignored)
    }
    return [i for i in ids if i not in fit]


def _allowed(names: Entry, rules: MaskRules) -> str:
    if names.get('label_map'):
        return f'0 to {max(names["label_map"])}'
    if names.get('reduce_zero_label'):
        return f'1 to {rules.num_classes}, 0 for ignored (`reduce_zero_label=True`)'
    return f'0 to {rules.num_classes - 1}'


def _guess(
    ids: Sequence[int], wrong: Sequence[int], names: Entry, rules: MaskRules
) -> tuple[str, str]:
    """What a mask with such ids usually means: the kind of problem, and a hint."""
    if set(ids) <= {0, 255}:
        return (
            'black and white',
            '. If this is a black and white mask, write 1 for white',
        )
    if wrong == [rules.num_classes] and not names.get('reduce_zero_label'):
        return 'off by one', (
            '. The ids may be off by one: if 0 means unlabelled, set '
            '`reduce_zero_label=True` in the dataset; if 0 is a class, `classes` lacks '
            'a name'
        )
    return 'ids outside the classes', ''


def _colour_hint(pixels: np.ndarray, palette: Sequence[Sequence[int]]) -> str:
    """What a mask in such colours usually means."""
    if pixels.ndim != 3 or pixels.shape[2] < 3 or pixels.dtype != np.uint8:
        return ''
    step = -(-max(pixels.shape[:2]) // MOST_SAMPLED)
    sampled = pixels[::step, ::step, :3].astype(np.int64)
    red, green, blue = np.moveaxis(sampled, 2, 0)
    packed = (red << 16) + (green << 8) + blue
    codes, counts = np.unique(packed, return_counts=True)
    colours = [(c >> 16, c >> 8 & 255, c & 255) for c in codes.tolist()]
    if all(r == g == b for r, g, b in colours):
        return '. Its channels are equal: save one of them'
    known = {tuple(colour) for colour in palette}
    unknown = [colour for colour in colours if colour not in known]
    share = counts[[colour not in known for colour in colours]].sum() / packed.size
    if share > 1 - LEAST_KNOWN:
        return ''
    hint = ". Its colours are the classes': write each colour's place in `palette`"
    if unknown:
        hint += (
            f'; no class has the colour {some(unknown)} of {100 * share:.2g} % of the '
            f'pixels: add a class, or write {IGNORED_ID} there'
        )
    return hint


def _moved_ids(
    mask: Mask,
    ids: Sequence[int],
    palette: Sequence[Sequence[int]],
    classes: np.ndarray,
) -> tuple[int, int] | None:
    """An id whose colour in the file is another class's, with that class.

    Only where every colour that the mask uses is a class's can its palette be trusted
    to tell the classes.
    """
    if mask.palette is None or max(ids) >= len(mask.palette):
        return None
    place = {tuple(colour): index for index, colour in enumerate(palette)}
    labelled = [i for i in ids if classes[i] != 255]
    colours = {i: tuple(mask.palette[i].tolist()) for i in labelled}
    if not place.keys() >= set(colours.values()):
        return None
    for i, colour in colours.items():
        own = palette[classes[i]] if classes[i] < len(palette) else ()
        if colour != tuple(own):
            return i, place[colour]
    return None


def some(items: Sequence[Any]) -> str:
    """The first few of a long list."""
    shown = ', '.join(str(item) for item in items[:8])
    return f'{shown}, ... ({len(items)} in all)' if len(items) > 8 else shown
