"""All checks of a split that can be made before training on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from .check import (
    classes_trouble,
    has_masks,
    leaf_datasets,
    mask_rules,
)
from .listing import (
    image_paths,
    images_left_out,
    listing_trouble,
    masks_without_image,
)
from .pairs import MaskRules, Pair, Problem, inspect_pair, some
from .parallel import DEFAULT_WORKERS, parallel_map
from .reading import Entry, LoaderError, Reader
from .verdict import MaskIds

Sample = tuple[np.ndarray, np.ndarray]

# What to do, by the kind of a problem.
ADVICE = {
    'no images': 'check `data_root`, `data_prefix`, `img_suffix` and `ann_file` in the '
    'config',
    'number of classes': 'give every head the `num_classes` of the dataset',
    'loader': 'change the pipeline of the config, or install what it needs',
    'left out': 'rename the files so that all images have one suffix, the `img_suffix` '
    'of the dataset',
    'missing image': 'fetch the image, or take its name out of the list or its mask '
    'out of the folder',
    'missing mask': 'a mask has the name of its image, with `seg_map_suffix` in place '
    'of `img_suffix`: convert the masks, or name the labelled images in an `ann_file`',
    'unreadable image': 'if other programs can open the file, set another `color_type` '
    "or `imdecode_backend` in the loader of the pipeline ('tifffile' reads any number "
    'of bands); if they cannot, it is damaged or incomplete: fetch it again',
    'unreadable mask': 'if other programs can open the file, set another '
    '`imdecode_backend` in LoadAnnotations, or convert the file to PNG; if they '
    'cannot, it is damaged or incomplete: fetch or convert it again',
    'sizes differ': 'a mask has one id for every pixel of its image: fetch both again, '
    'or resize the mask with nearest neighbours, never with smoothing',
    'colour mask': 'write PNG files of one channel that hold class ids; '
    'the source repository of mmseg_jml has converters for some datasets',
    'not whole numbers': 'write whole numbers, and 255 where there is no data',
    'lossy mask': 'JPEG blurs ids at every edge and nothing restores them: fetch the '
    'masks in their original format and save them as PNG',
    'ids outside the classes': 'ids count from 0 in the order of `classes`, 255 is '
    'ignored: convert the masks (Cityscapes: *_labelTrainIds.png, not *_labelIds.png)',
    'off by one': 'if 0 means unlabelled, set `reduce_zero_label=True` in the dataset; '
    'do the same if ids count from 1 and 0 is not used; if 0 is a class, add its name '
    'to `classes` and increase `num_classes` by one',
    'black and white': 'write 0 and 1 (255 means ignored) and name two classes',
    'renumbered palette': 'save masks as grey PNG files, or with the palette that the '
    'dataset came with',
    'nothing labelled': 'every pixel is ignored: check `reduce_zero_label` and the '
    'masks',
    'one class alone': 'check that the masks belong to the images, and that they hold '
    'ids and not something else, such as one band of a colour mask',
    'in two splits': 'the score would be measured on images of the training: split the '
    'dataset again, or give each split its own list',
}


@dataclass
class SplitReport:
    """What was found in one split of C classes.

    Attributes:
        name: The split's.
        classes: The class names.
        palette: Their colours.
        pixels: (C + 1,) how many pixels each class has; the last counts ignored ones.
        images: (C + 1,) in how many images it occurs, alike.
        problems: What is wrong.
        notes: What may be wrong.
        paths: The images, links resolved.
        ignore_index: The id of ignored pixels in a label.
        sound: Each loads one image without a problem, and its label, to be shown.
        ids: Those in the mask files.
        masks: The same by mask.
    """

    name: str
    classes: Sequence[str] = ()
    palette: Sequence[Sequence[int]] = ()
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    images: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    ignore_index: int = 255
    sound: list[Callable[[], Sample]] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)
    masks: MaskIds = field(default_factory=MaskIds)

    def by_kind(self) -> dict[str, list[str]]:
        """The problems' sentences by kind, in the order of `ADVICE`."""
        found = {kind: [s for k, s in self.problems if k == kind] for kind in ADVICE}
        return {kind: sentences for kind, sentences in found.items() if sentences}

    def histogram(self) -> list[tuple[str, int, float, int]]:
        """(class, pixels, their share of all, images), the ignored last."""
        names = [*self.classes, '(ignored)']
        shares = self.pixels / max(1, self.pixels.sum())
        columns = (names, self.pixels.tolist(), shares.tolist(), self.images.tolist())
        return list(zip(*columns, strict=True))


def inspect_split(
    name: str,
    dataset: Any,
    *,
    num_classes: int | None = None,
    workers: int = DEFAULT_WORKERS,
) -> SplitReport:
    """Read every image and mask of a split.

    Args:
        name: The split's.
        dataset: As in `check_dataset`.
        num_classes: The model's, where it is known: it has to be the dataset's.
        workers: How many threads.

    Raises:
        TypeError: `dataset` holds something else than datasets.
    """
    report = SplitReport(name)
    try:
        leaves = list(leaf_datasets(dataset))
    except ValueError as error:
        kind = 'loader' if isinstance(error, LoaderError) else 'no images'
        report.problems.append(Problem(kind, str(error)))
        return report
    for leaf in leaves:
        trouble = listing_trouble(leaf)
        if trouble:
            report.problems.append(Problem('no images', trouble))
        else:
            _inspect_leaf(report, leaf, num_classes, workers)
    if report.paths:
        _judge(report, leaves[0])
    return report


def _inspect_leaf(
    report: SplitReport, leaf: BaseDataset, num_classes: int | None, workers: int
) -> None:
    """Add one dataset to the report."""
    classes = leaf.metainfo.get('classes')
    if report.classes and not has_masks(leaf):  # unlabelled, so of any classes
        classes = report.classes
    if classes is None:
        raise ValueError(
            f'the dataset {type(leaf).__name__} needs `classes` in its `metainfo`'
        )
    if num_classes not in (None, len(classes)):
        sentence = classes_trouble(leaf, num_classes)
        report.problems.append(Problem('number of classes', sentence))
    if not report.classes:
        report.classes, report.palette = classes, leaf.metainfo['palette']
        report.pixels, report.images = np.zeros((2, len(classes) + 1), np.int64)
    elif list(classes) != list(report.classes):
        sentence = f'the datasets of the split have different classes: {some(classes)}'
        report.problems.append(Problem('number of classes', sentence))
        return
    rules = mask_rules(leaf, len(classes))
    report.ignore_index = rules.ignored
    paths = image_paths(leaf)
    again = sorted(report.paths & paths)
    if again:
        note = f'{len(again)} images are in two of the datasets: {some(again)}'
        report.notes.append(note)
    report.paths |= paths
    left_out, notes = images_left_out(leaf)
    report.problems += left_out
    report.notes += notes
    entries = [leaf.get_data_info(index) for index in range(len(leaf))]
    reader = Reader.of(leaf)
    contradiction = reader.contradiction(entries[0])
    if contradiction:
        report.problems.append(Problem('loader', contradiction))
    look = partial(inspect_pair, rules=rules, reader=reader, decode=True)
    pairs = parallel_map(look, entries, workers=workers, what=f'{report.name}: images')
    _add_pairs(report, entries, pairs, reader, rules)
    report.problems += masks_without_image(leaf, entries)


def _add_pairs(
    report: SplitReport,
    entries: Sequence[Entry],
    pairs: Sequence[Pair],
    reader: Reader,
    rules: MaskRules,
) -> None:
    described: Counter[str] = Counter()
    for entry, pair in zip(entries, pairs, strict=True):
        report.problems += pair.problems
        described.update(pair.notes)
        report.masks.add(entry, pair, reader, rules)
        report.ids.update(pair.pixels)
        if pair.pixels and not pair.problems:
            report.sound.append(partial(_load, entry, reader))
        _count(report, pair, reader.class_of_ids(entry), rules.ignored)
    report.notes += [f'{number} {words}' for words, number in described.items()]


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
    report.images[list(occurring)] += 1


def _judge(report: SplitReport, leaf: BaseDataset) -> None:
    """Add what only all masks of a split together tell."""
    if not report.ids:
        report.notes.append('no mask was read')
        return
    problems, notes = report.masks.judge()
    report.problems += problems
    report.notes += notes
    if not report.pixels[:-1].any():
        sentence = 'no pixel of any mask belongs to a class'
        report.problems.append(Problem('nothing labelled', sentence))
        return
    counted = zip(report.classes, report.pixels[:-1], strict=True)
    absent = [name for name, pixels in counted if not pixels]
    if absent:
        report.notes.append(f'never occurs: {some(absent)}')
    reduced = getattr(leaf, 'reduce_zero_label', False)
    if absent == [report.classes[0]] and not reduced:
        report.notes.append('if ids count from 1, set `reduce_zero_label=True`')
    if absent == [report.classes[-1]] and reduced and 0 in report.ids:
        report.notes.append('if ids count from 0, set `reduce_zero_label=False`')


def mark_shared_images(train: SplitReport, other: SplitReport) -> None:
    """Add to `other` the images that are in `train` too."""
    shared = sorted(train.paths & other.paths)
    if shared:
        sentence = (
            f'{len(shared)} of {len(other.paths)} images are also in {train.name}: '
            f'{some(shared)}'
        )
        other.problems.append(Problem('in two splits', sentence))


def _load(entry: Entry, reader: Reader) -> Sample:
    """(H, W, 3) RGB image and (H, W) label of an entry, as training sees them."""
    return reader.rgb(entry), reader.label(entry)
