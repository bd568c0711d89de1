"""Which images belong together, and how to share them out without parting a group.

Frames of one video, slices of one patient and tiles of one scene resemble each other.
Where they lie in both training and test, the test's figures are too good.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .pairs import some

FOLDER = 'folder'  # in place of a pattern: the subfolder that an image lies in


def groups_of(names: Sequence[str], rule: str) -> list[str]:
    """The group of each image, read from its name.

    Args:
        names: As lists have them: the path below the images' folder, without suffix.
        rule: 'folder', or a regular expression that must match the beginning of each
            name. Its first group in parentheses is the name's group, or all that it
            matches where it has none.

    Raises:
        ValueError: The expression is not one, or does not match a name.

    >>> groups_of(['p1_a', 'p1_b', 'p20_a'], r'p[0-9]+')
    ['p1', 'p1', 'p20']
    >>> groups_of(['berlin/1', 'ulm/1'], 'folder')
    ['berlin', 'ulm']
    """
    if rule == FOLDER:
        return [name.rpartition('/')[0] for name in names]
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise ValueError(
            f'`groups` must be {FOLDER!r} or a regular expression, got {rule!r}: '
            f'{error}'
        ) from error
    found = [pattern.match(name) for name in names]
    lacking = [name for name, match in zip(names, found, strict=True) if not match]
    if lacking:
        raise ValueError(
            f'`groups` must match the beginning of every name, but {rule!r} does not '
            f'match {some(lacking)}'
        )
    place = min(1, pattern.groups)
    return [match[place] or '' for match in found if match]


def deal(
    groups: Sequence[str], shares: Sequence[float], *, seed: int = 0
) -> list[list[int]]:
    """Share images out into parts, so that every group lies whole in one part.

    Groups come in random order, the larger ones first, and each goes to the part that
    lacks the most images of its share. No part stays empty.

    Args:
        groups: The group of each of the n images.
        shares: The wanted size of each part, relative to the others; above 0.
        seed: At least 0. The same seed gives the same parts.

    Returns:
        For each part its images' indices, ascending.

    Raises:
        ValueError: There are fewer groups than parts.

    >>> deal(['a', 'a', 'b', 'c', 'c'], [2, 1])
    [[2, 3, 4], [0, 1]]
    """
    names, members = np.unique(np.array(groups, dtype=object), return_inverse=True)
    if len(names) < len(shares):
        raise ValueError(
            f'{len(shares)} parts need at least as many groups, but there are '
            f'{len(names)}: {some(list(names))}'
        )
    sizes = np.bincount(members)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind='stable')]
    lacking = np.array(shares, dtype=float) * len(groups) / sum(shares)
    empty = np.ones(len(shares), dtype=bool)
    part_of = np.zeros(len(names), dtype=int)
    for place, group in enumerate(order):
        candidates = lacking.copy()
        if empty.sum() >= len(order) - place:
            candidates[~empty] = -np.inf
        part = part_of[group] = candidates.argmax()
        lacking[part] -= sizes[group]
        empty[part] = False
    parts = part_of[members]
    return [np.flatnonzero(parts == part).tolist() for part in range(len(shares))]


def guess_rule(names: Sequence[str], parts: int = 3) -> str | None:
    """The rule for `groups_of` that the names suggest, None where they suggest none.

    That is the subfolder where images lie in at least `parts` of them; otherwise what
    stands before the first '_' or '-' of the names, where that gives at least `parts`
    groups with at least two images each on average.

    >>> guess_rule(['p1_a', 'p1_b', 'p2_a', 'p2_b', 'p3_a', 'p3_b'])
    '[^_-]+'
    >>> guess_rule(['img_1', 'img_2', 'img_3']) is None
    True
    """
    for rule in (FOLDER, '[^_-]+'):
        try:
            number = len(set(groups_of(names, rule)))
        except ValueError:  # a name that begins with a hyphen
            continue
        if parts <= number <= len(names) / 2:
            return rule
    return None
