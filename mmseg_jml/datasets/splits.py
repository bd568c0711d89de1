"""Split a labelled dataset: which images keep their labels, which go without."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.dataset import BaseDataset

from .check import mask_rules
from .pairs import MaskRules, inspect_pair, some
from .parallel import DEFAULT_WORKERS, parallel_map
from .reading import Reader

CANDIDATES = 64  # images to choose from at each place of a balanced order


class Counted(NamedTuple):
    """The n images of a dataset, and how many pixels of each class they have.

    Attributes:
        ids: As a list names them: the path below `data_prefix['img_path']`, without
            `img_suffix`. Sorted, so that a split does not depend on the listing.
        pixels: (n, C) counts.
        classes: Their names.
    """

    ids: list[str]
    pixels: np.ndarray
    classes: Sequence[str]


def count_pictures(dataset: BaseDataset, *, workers: int = DEFAULT_WORKERS) -> Counted:
    """Name every image of a dataset and count the pixels of each class in it.

    Raises:
        ValueError: An image is no file below `img_path` or has no mask, or a mask does
            not fit the classes; the message names it.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    named = sorted(((_id(info, dataset), info) for info in infos), key=lambda n: n[0])
    classes = dataset.metainfo.get('classes')
    if not classes:
        raise ValueError('a dataset without `classes` cannot be split')
    count = partial(
        _class_pixels,
        rules=mask_rules(dataset, len(classes)),
        reader=Reader.of(dataset),
    )
    infos = [info for _, info in named]
    pixels = parallel_map(count, infos, workers=workers, what='masks')
    return Counted([name for name, _ in named], np.array(pixels), classes)


def _id(info: Mapping[str, Any], dataset: BaseDataset) -> str:
    path, folder = Path(info['img_path']), dataset.data_prefix.get('img_path') or ''
    suffix = getattr(dataset, 'img_suffix', '')
    if not path.is_relative_to(folder) or not path.name.endswith(suffix):
        raise ValueError(
            f'the image {path} cannot be listed: it is not a file *{suffix} in the '
            f'folder {folder!r}'
        )
    if 'seg_map_path' not in info:
        raise ValueError(
            f'the image {path} has no mask: only labelled images can be split'
        )
    return path.relative_to(folder).as_posix().removesuffix(suffix)


def _class_pixels(
    info: Mapping[str, Any], rules: MaskRules, reader: Reader
) -> np.ndarray:
    """(C,) pixels of each class in a mask."""
    pair = inspect_pair(info, rules, reader)
    if pair.problems:
        raise ValueError(pair.problems[0].sentence)
    ids = np.fromiter(pair.pixels, int)
    classes = reader.class_of_ids(info)[ids]
    counts = np.fromiter(pair.pixels.values(), int) * (classes != rules.ignored)
    return np.bincount(classes, counts, minlength=256)[: rules.num_classes].astype(int)


def split_sizes(number: int, fractions: Sequence[Fraction]) -> dict[Fraction, int]:
    """How many of a number of images keep their labels, rounded up.

    Rounded up, 1/8 of VOC's 10582 are 1323 and of Cityscapes' 2975 are 372, as in the
    literature.

    Raises:
        ValueError: A fraction does not lie between 0 and 1, or none is left unlabelled.

    >>> split_sizes(2975, [Fraction(1, 8)])
    {Fraction(1, 8): 372}
    """
    outside = [fraction for fraction in fractions if not 0 < fraction < 1]
    if outside or not fractions:
        raise ValueError(
            f'`fractions` must be between 0 and 1, such as 1/8, got {some(outside)}'
        )
    sizes = {fraction: math.ceil(number * fraction) for fraction in fractions}
    whole = [str(fraction) for fraction, size in sizes.items() if size >= number]
    if whole:
        raise ValueError(f'{some(whole)} of {number} images leaves none without labels')
    return sizes


def split_order(
    pixels: np.ndarray, *, seed: int = 0, class_balanced: bool = False, most: int = 0
) -> np.ndarray:
    """In which order pictures get labels: the first k of it are the split of size k.

    So the splits of a seed are nested: what 1/16 holds, 1/8 holds too.

    Args:
        pixels: (n, C) pixels of each class in each image.
        seed: At least 0.
        class_balanced: Choose each image, out of the next 64 of the random order, so
            that the classes' shares of all pixels chosen so far come closest to the
            whole dataset's, by Σ (share − whole)² / whole. Without it the order is
            random.
        most: How many places are to be balanced; the rest is random.

    Returns:
        (n,) the images' indices.

    >>> pixels = np.array([[9, 0], [9, 0], [9, 0], [0, 9], [9, 0], [0, 9]])
    >>> first = split_order(pixels, class_balanced=True, most=3)[:3]
    >>> pixels[first].sum(0).tolist()
    [18, 9]
    """
    order = np.random.default_rng(seed).permutation(len(pixels))
    if not class_balanced:
        return order
    whole = pixels.sum(0) / max(1, pixels.sum())
    occurring = whole > 0
    pixels, whole = pixels[:, occurring], whole[occurring]
    left, chosen, total = order.tolist(), [], np.zeros(len(whole))
    while left and len(chosen) < most:
        totals = total + pixels[left[:CANDIDATES]]
        shares = totals / totals.sum(1, keepdims=True).clip(1)
        best = int(((shares - whole) ** 2 / whole).sum(1).argmin())
        total = totals[best]
        chosen.append(left.pop(best))
    return np.array(chosen + left)


def grouped_order(
    pixels: np.ndarray,
    groups: Sequence[str],
    *,
    seed: int = 0,
    class_balanced: bool = False,
    most: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """`split_order` of whole groups, and where in it each group ends.

    Returns:
        (n,) the images' indices, and (g,) the number of images up to the end of
        each group.

    >>> order, ends = grouped_order(np.ones((3, 1)), ['a', 'b', 'a'])
    >>> sorted(order.tolist()), ends[-1]
    ([0, 1, 2], np.int64(3))
    """
    names, members = np.unique(np.array(groups, dtype=object), return_inverse=True)
    totals = np.zeros((len(names), pixels.shape[1]), dtype=pixels.dtype)
    np.add.at(totals, members, pixels)
    order = split_order(totals, seed=seed, class_balanced=class_balanced, most=most)
    parts = [np.flatnonzero(members == group) for group in order]
    return np.concatenate(parts), np.cumsum([len(part) for part in parts])
