"""What a test counted in each picture: the file that `CalibrationMetric` writes."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

INTERSECTION, UNION = 'intersection.', 'union.'


class PictureAreas(NamedTuple):
    """Pixels of each class in each picture, which are sorted by name: float64 (N,C)."""

    names: tuple[str, ...]
    classes: tuple[str, ...]
    intersection: Tensor
    union: Tensor

    def pixels(self) -> Tensor:
        """The labelled pixels of each picture (N,).

        The classes' predicted pixels add up to the labelled ones as their labels do, so
        that unions and intersections together count each pixel twice.
        """
        return (self.union.sum(1) + self.intersection.sum(1)) / 2


def read_areas(path: Path) -> PictureAreas:
    """Read the intersections and unions of a file of `per_image_csv=True`.

    Raises:
        ValueError: it has no picture or class, one name twice, or what is no number.
    """
    with path.open(newline='', encoding='utf-8') as file:
        reader = csv.DictReader(file)
        classes, others = (
            tuple(
                c.removeprefix(kind)
                for c in reader.fieldnames or ()
                if c.startswith(kind)
            )
            for kind in (UNION, INTERSECTION)
        )
        if classes != others:
            raise ValueError(
                f'{path} must have {INTERSECTION}<class> and {UNION}<class> of the '
                f'same classes, got {others} and {classes}'
            )
        try:
            rows = sorted(reader, key=lambda row: row['name'])
            areas = [
                torch.tensor(
                    [[float(row[kind + c]) for c in classes] for row in rows],
                    dtype=torch.float64,
                )
                for kind in (INTERSECTION, UNION)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'{path}, before line {reader.line_num}: {error}'
            ) from error
    names = tuple(row['name'] for row in rows)
    if not (names and classes):
        raise ValueError(f'{path} has no picture or no column {UNION}<class>')
    if len(set(names)) < len(names):
        twice = next(a for a, b in pairwise(names) if a == b)
        raise ValueError(f'{path} has several pictures of the name {twice!r}')
    return PictureAreas(names, classes, *areas)


def mismatch(first: PictureAreas, second: PictureAreas) -> str | None:
    """Why two runs were not tested on the same pictures; None where they were."""
    if first.classes != second.classes:
        return 'the classes differ'
    if first.names != second.names:
        other = len(set(first.names) ^ set(second.names))
        return f'the test sets differ: {other} pictures are in one of them alone'
    changed = (first.pixels() != second.pixels()).nonzero().flatten()
    if len(changed):
        name = first.names[changed[0]]
        return f'the labels differ: {name} has other numbers of labelled pixels'
    return None
