"""Everything that can be known of a split before it is trained on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import mmcv
import numpy as np
from mmengine import fileio
from mmengine.dataset import BaseDataset

from .check import (
    classes_trouble,
    has_masks,
    leaf_datasets,
    listing_trouble,
    picture_paths,
    target_of,
)
from .files import read_mask
from .pairs import Pair, Problem, class_of_ids, inspect_pair, some
from .parallel import DEFAULT_WORKERS, parallel_map

Sample = tuple[np.ndarray, np.ndarray]

# What to do, by the kind of a problem.
ADVICE = {
    'no pictures': 'check `data_root`, `data_prefix` and `ann_file` in the config',
    'number of classes': 'give every head the `num_classes` of the data set',
    'missing picture': 'fetch the picture, or take its name out of the list or its '
    'mask out of the folder',
    'missing mask': 'a mask is named as its picture, with `seg_map_suffix` in place of '
    '`img_suffix`: convert the masks, or name the labelled pictures in an `ann_file`',
    'unreadable picture': 'the file is broken or cut off: fetch it again',
    'unreadable mask': 'the file is broken or cut off: fetch or convert it again',
    'sizes differ': 'a mask has one id for every pixel of its picture: fetch both '
    'again, or resize the mask with nearest neighbours, never with interpolation',
    'colour mask': 'write PNG files of one channel that hold class ids; '
    'tools/dataset_converters does it for some data sets',
    'ids outside the classes': 'ids count from 0 in the order of `classes`, 255 is '
    'ignored: convert the masks (Cityscapes: *_labelTrainIds.png, not *_labelIds.png)',
    'off by one': 'if 0 means unlabelled, set `reduce_zero_label=True` in the data '
    'set; if ids count from 1 and 0 is not used, the same; if 0 is a class, add its '
    'name to `classes` and one to `num_classes`',
    'black and white': 'write 0 and 1 (255 means ignored) and name two classes',
    'renumbered palette': 'save masks as grey PNG files, or with the palette that the '
    'data set came with',
    'nothing labelled': 'every pixel is ignored: check `reduce_zero_label` and the '
    'masks',
    'in two splits': 'the score would be that of pictures trained on: split anew, or '
    'give each split its own list',
}


@dataclass
class SplitReport:
    """What was found in one split of C classes.

    Attributes:
        name: The split's.
        classes: The class names.
        palette: Their colours.
        pixels: (C + 1,) how many pixels each class has; the last counts ignored ones.
        pictures: (C + 1,) in how many pictures it occurs, alike.
        problems: What is wrong.
        notes: What may be.
        paths: The pictures, links resolved.
        ignore_index: The id of ignored pixels in a label.
        sound: Each loads one picture without a problem, and its label, to be shown.
    """

    name: str
    classes: Sequence[str] = ()
    palette: Sequence[Sequence[int]] = ()
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    pictures: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    ignore_index: int = 255
    sound: list[Callable[[], Sample]] = field(default_factory=list)

    def by_kind(self) -> dict[str, list[str]]:
        """The problems' sentences by kind, in the order of `ADVICE`."""
        found = {kind: [s for k, s in self.problems if k == kind] for kind in ADVICE}
        return {kind: sentences for kind, sentences in found.items() if sentences}

    def histogram(self) -> list[tuple[str, int, float, int]]:
        """(class, pixels, their share of all, pictures), the ignored last."""
        names = [*self.classes, '(ignored)']
        shares = self.pixels / max(1, self.pixels.sum())
        columns = (names, self.pixels.tolist(), shares.tolist(), self.pictures.tolist())
        return list(zip(*columns, strict=True))


def inspect_split(
    name: str,
    dataset: Any,
    *,
    num_classes: int | None = None,
    workers: int = DEFAULT_WORKERS,
) -> SplitReport:
    """Read every picture and mask of a split.

    Args:
        name: The split's.
        dataset: As in `check_dataset`.
        num_classes: The model's, where it is known: it has to be the data set's.
        workers: How many threads.

    Raises:
        TypeError: `dataset` holds something else than data sets.
    """
    report = SplitReport(name)
    try:
        leaves = list(leaf_datasets(dataset))
    except ValueError as error:
        report.problems.append(Problem('no pictures', str(error)))
        return report
    ids: set[int] = set()
    for leaf in leaves:
        trouble = listing_trouble(leaf)
        if trouble:
            report.problems.append(Problem('no pictures', trouble))
        else:
            ids |= _inspect_leaf(report, leaf, num_classes, workers)
    if report.paths:
        _judge(report, ids, getattr(leaves[0], 'reduce_zero_label', False))
    return report


def _inspect_leaf(
    report: SplitReport, leaf: BaseDataset, num_classes: int | None, workers: int
) -> set[int]:
    """Add one data set to the report; return the ids in its masks."""
    classes = leaf.metainfo.get('classes')
    if report.classes and not has_masks(leaf):  # unlabelled, so of any classes
        classes = report.classes
    if classes is None:
        raise ValueError(
            f'the data set {type(leaf).__name__} needs `classes` in its `metainfo`'
        )
    if num_classes not in (None, len(classes)):
        sentence = classes_trouble(leaf, num_classes)
        report.problems.append(Problem('number of classes', sentence))
    if not report.classes:
        report.classes, report.palette = classes, leaf.metainfo['palette']
        report.pixels, report.pictures = np.zeros((2, len(classes) + 1), np.int64)
    elif list(classes) != list(report.classes):
        sentence = f'two data sets have other classes than one another: {some(classes)}'
        report.problems.append(Problem('number of classes', sentence))
        return set()
    target = target_of(leaf, len(classes))
    infos = [leaf.get_data_info(index) for index in range(len(leaf))]
    report.ignore_index = target.ignored
    paths = picture_paths(leaf)
    again = sorted(report.paths & paths)
    if again:
        note = f'{len(again)} pictures are in two of its data sets: {some(again)}'
        report.notes.append(note)
    backend_args = getattr(leaf, 'backend_args', None)
    look = partial(inspect_pair, target=target, decode=True, backend_args=backend_args)
    pairs = parallel_map(look, infos, workers=workers, what=f'{report.name}: pictures')
    report.paths |= paths
    for info, pair in zip(infos, pairs, strict=True):
        report.problems += pair.problems
        if pair.pixels and not pair.problems:
            report.sound.append(partial(_load, info, backend_args))
        _count(report, pair, class_of_ids(info), target.ignored)
    report.problems += _masks_without_picture(leaf, infos)
    return set().union(*(pair.pixels for pair in pairs))


def _count(report: SplitReport, pair: Pair, classes: np.ndarray, ignored: int) -> None:
    """Add the pixels of one mask to the report."""
    occurring = set()
    for mask_id, count in pair.pixels.items():
        index = int(classes[mask_id]) if 0 <= mask_id < 256 else -1
        if index == ignored:
            index = len(report.classes)
        elif index not in range(len(report.classes)):
            continue
        report.pixels[index] += count
        occurring.add(index)
    report.pictures[list(occurring)] += 1


def _masks_without_picture(
    leaf: BaseDataset, infos: Sequence[Mapping[str, Any]]
) -> Iterator[Problem]:
    """Masks that the listing of a folder of pictures passes over in silence."""
    folder = leaf.data_prefix.get('seg_map_path')
    suffix = getattr(leaf, 'seg_map_suffix', None)
    if leaf.ann_file or not folder or not suffix:
        return
    backend_args = getattr(leaf, 'backend_args', None)
    if not fileio.isdir(folder, backend_args=backend_args):
        return
    known = {info['seg_map_path'] for info in infos}
    names = fileio.list_dir_or_file(
        folder, list_dir=False, suffix=suffix, recursive=True, backend_args=backend_args
    )
    for path in sorted(os.path.join(folder, name) for name in names):
        if path not in known:
            yield Problem('missing picture', f'mask {path} has no picture')


def _judge(report: SplitReport, ids: set[int], reduced: bool) -> None:
    """Add what only all masks of a split together tell.

    Args:
        report: What was counted.
        ids: Those in the files.
        reduced: Whether `reduce_zero_label` is set.
    """
    if not ids:
        report.notes.append('no mask was read')
        return
    if ids == {0, 255}:
        sentence = 'every mask holds only 0 and 255'
        report.problems.append(Problem('black and white', sentence))
    if not report.pixels[:-1].any():
        sentence = 'no pixel of any mask is of a class'
        report.problems.append(Problem('nothing labelled', sentence))
        return
    counted = zip(report.classes, report.pixels[:-1], strict=True)
    absent = [name for name, pixels in counted if not pixels]
    if absent:
        report.notes.append(f'never occurs: {some(absent)}')
    if absent == [report.classes[0]] and not reduced:
        report.notes.append('if ids count from 1, set `reduce_zero_label=True`')
    if absent == [report.classes[-1]] and reduced and 0 in ids:
        report.notes.append('if ids count from 0, set `reduce_zero_label=False`')


def mark_shared_pictures(train: SplitReport, other: SplitReport) -> None:
    """Add to `other` the pictures that are in `train` too."""
    shared = sorted(train.paths & other.paths)
    if shared:
        sentence = (
            f'{len(shared)} of {len(other.paths)} pictures are in {train.name} too: '
            f'{some(shared)}'
        )
        other.problems.append(Problem('in two splits', sentence))


def _load(info: Mapping[str, Any], backend_args: dict | None) -> Sample:
    """(H, W, 3) RGB picture and (H, W) label of an entry, as the training sees them."""
    data = fileio.get(info['img_path'], backend_args=backend_args)
    picture = mmcv.imfrombytes(data, channel_order='rgb')
    ids = read_mask(info['seg_map_path'], backend_args).ids
    return picture, class_of_ids(info)[ids]
