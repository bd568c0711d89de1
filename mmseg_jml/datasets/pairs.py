"""One picture and its mask: do they fit each other and the classes?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .files import ColourMaskError, Mask, picture_size, read_mask


class Problem(NamedTuple):
    """What is wrong with a file: the kind, a key of `report.ADVICE`, and a sentence."""

    kind: str
    sentence: str


class Pair(NamedTuple):
    """What was found in one picture and its mask.

    `pixels` counts the mask's pixels by the id in the file; it is empty where the mask
    could not be read.
    """

    problems: list[Problem]
    pixels: dict[int, int]


class Target(NamedTuple):
    """What a mask has to fit: the number of classes, their colours, the ignored id."""

    num_classes: int
    palette: Sequence[Sequence[int]] = ()
    ignored: int = 255


def inspect_pair(
    info: Mapping[str, Any],
    target: Target,
    *,
    decode: bool = False,
    backend_args: dict | None = None,
) -> Pair:
    """Look at one entry of a `BaseSegDataset`.

    Args:
        info: The entry, as `get_data_info` gives it. Without a `seg_map_path` the
            picture is not labelled.
        target: What its mask has to fit.
        decode: Read the picture's pixels too, not only its size.
        backend_args: Where MMEngine's file functions find the files, if not on disk.
    """
    picture, path = info.get('img_path'), info.get('seg_map_path')
    problems, size, pixels = [], None, {}
    if picture:
        try:
            size = picture_size(picture, decode=decode, backend_args=backend_args)
        except FileNotFoundError as error:
            problems.append(Problem('missing picture', str(error)))
        except ValueError as error:
            problems.append(Problem('unreadable picture', str(error)))
    if path is None:
        return Pair(problems, pixels)
    try:
        mask = read_mask(path, backend_args)
    except FileNotFoundError as error:
        problems.append(Problem('missing mask', str(error)))
    except ColourMaskError as error:
        sentence = f'{error}{_colour_hint(error.pixels, target.palette)}'
        problems.append(Problem('colour mask', sentence))
    except ValueError as error:
        problems.append(Problem('unreadable mask', str(error)))
    else:
        pixels = _count(mask.ids)
        problems += _mask_problems(path, mask, size, pixels, info, target)
    return Pair(problems, pixels)


def class_of_ids(info: Mapping[str, Any]) -> np.ndarray:
    """What `LoadAnnotations` makes of each id that a mask file may hold.

    Args:
        info: An entry of a `BaseSegDataset`, with its `reduce_zero_label` and
            `label_map`.

    Returns:
        (256,) integers: the class, or the ignored id.

    >>> class_of_ids({'reduce_zero_label': True})[[0, 1, 2, 254, 255]].tolist()
    [255, 0, 1, 253, 255]
    """
    classes = np.arange(256)
    if info.get('reduce_zero_label'):
        classes = np.where(np.isin(classes, (0, 255)), 255, classes - 1)
    renamed = classes.copy()
    for old, new in (info.get('label_map') or {}).items():
        renamed[classes == old] = new
    return renamed


def _count(ids: np.ndarray) -> dict[int, int]:
    if ids.dtype == np.uint8:
        counts = np.bincount(ids.ravel(), minlength=256)
        found = np.flatnonzero(counts)
        return dict(zip(found.tolist(), counts[found].tolist(), strict=True))
    found, counts = np.unique(ids, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _mask_problems(
    path: str,
    mask: Mask,
    size: tuple[int, int] | None,
    pixels: dict[int, int],
    info: Mapping[str, Any],
    target: Target,
) -> list[Problem]:
    problems, ids = [], sorted(pixels)
    if size not in (None, mask.ids.shape):
        sentence = f'mask {path} is {mask.ids.shape}, its picture {size} (H, W)'
        problems.append(Problem('sizes differ', sentence))
    wrong = wrong_ids(ids, info, target)
    if wrong:
        kind, hint = _guess(ids, wrong, info, target)
        sentence = (
            f'mask {path} holds the ids {some(wrong)}, but {target.num_classes} '
            f'classes allow {_allowed(info, target)}, and {target.ignored} for ignored'
            f'{hint}'
        )
        problems.append(Problem(kind, sentence))
    moved = _moved_ids(mask, ids, target.palette, class_of_ids(info))
    if moved:
        now, then = moved
        sentence = (
            f'mask {path} paints id {now} in the colour of class {then}: were its '
            f'ids renumbered when it was saved?'
        )
        problems.append(Problem('renumbered palette', sentence))
    return problems


def wrong_ids(ids: Sequence[int], info: Mapping[str, Any], target: Target) -> list[int]:
    """The ids of a file of which the training makes neither a class nor ignored."""
    classes = class_of_ids(info)
    # LoadAnnotations lets larger ones wrap around.
    fit = {
        i
        for i in ids
        if 0 <= i < 256
        and (classes[i] < target.num_classes or classes[i] == target.ignored)
    }
    return [i for i in ids if i not in fit]


def _allowed(info: Mapping[str, Any], target: Target) -> str:
    if info.get('label_map'):
        return f'0 to {max(info["label_map"])}'
    if info.get('reduce_zero_label'):
        return f'1 to {target.num_classes}, 0 for ignored (`reduce_zero_label=True`)'
    return f'0 to {target.num_classes - 1}'


def _guess(
    ids: Sequence[int], wrong: Sequence[int], info: Mapping[str, Any], target: Target
) -> tuple[str, str]:
    """What a mask with such ids usually means: the kind of problem, and a hint."""
    if set(ids) <= {0, 255}:
        return 'black and white', '. A black and white mask? Write 1 for white'
    if wrong == [target.num_classes] and not info.get('reduce_zero_label'):
        return 'off by one', (
            '. Off by one? If 0 means unlabelled, set `reduce_zero_label=True` in the '
            'data set; if 0 is a class, `classes` lacks one'
        )
    return 'ids outside the classes', ''


def _colour_hint(pixels: np.ndarray, palette: Sequence[Sequence[int]]) -> str:
    """What a mask in such colours usually means."""
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        return ''
    colours = np.unique(pixels[::4, ::4, :3].reshape(-1, 3), axis=0)
    if (colours == colours[:, :1]).all():
        return '. Its channels are equal: save one of them'
    known = {tuple(colour) for colour in palette}
    if {tuple(colour) for colour in colours.tolist()} <= known:
        return ". Its colours are the classes': write each colour's place in `palette`"
    return ''


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
