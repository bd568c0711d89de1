"""Read the pixel counts of each image in a test, which `CalibrationMetric` writes."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

INTERSECTION, UNION = 'intersection.', 'union.'


class PictureAreas(NamedTuple):
    """Pixels of each class in each image, float64 (N,C), with images sorted by name."""

    names: tuple[str, ...]
    classes: tuple[str, ...]
    intersection: Tensor
    union: Tensor

    def pixels(self) -> Tensor:
        """The number of labelled pixels in each image (N,).

        Both the predicted and the labelled pixels of all classes add up to this number,
        so unions and intersections together count each pixel twice.
        """
        return (self.union.sum(1) + self.intersection.sum(1)) / 2


def read_areas(path: Path) -> PictureAreas:
    """Read the intersections and unions of a file of `per_image_csv=True`.

    Raises:
        ValueError: it has no image or class, a repeated name, or an invalid number.
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
                f'{path} must have {INTERSECTION}<class> and {UNION}<class> for the '
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
        raise ValueError(f'{path} has no image or no column {UNION}<class>')
    if len(set(names)) < len(names):
        twice = next(a for a, b in pairwise(names) if a == b)
        raise ValueError(f'{path} has several images with the name {twice!r}')
    return PictureAreas(names, classes, *areas)


def mismatch(first: PictureAreas, second: PictureAreas) -> str | None:
    """The reason why the test images of two runs differ; None if they do not."""
    if first.classes != second.classes:
        return 'the classes differ'
    if first.names != second.names:
        other = len(set(first.names) ^ set(second.names))
        return f'the test sets differ: {other} images are in only one of them'
    changed = (first.pixels() != second.pixels()).nonzero().flatten()
    if len(changed):
        name = first.names[changed[0]]
        return f'the labels differ: {name} has a different number of labelled pixels'
    return None
