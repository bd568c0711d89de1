"""Does a data set fit its classes? Asked before an hour of training, not after."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
from mmengine import fileio
from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS

from .pairs import Target, inspect_pair, some

MOST_REPORTED = 5  # problems in one error message
SPLIT_LISTS = ('labelled.txt', 'unlabelled.txt')  # as tools/make_splits.py names them
WRAPPED = ('dataset', 'labelled', 'unlabelled')  # where a wrapper holds data sets


def check_dataset(
    dataset: Any, *, num_masks: int | None = 32, num_classes: int | None = None
) -> None:
    """Refuse a data set without pictures or with masks that do not fit its classes.

    Args:
        dataset: A `BaseSegDataset`, or a wrapper of such: whatever holds them as its
            `dataset` or `datasets`; or the config of either, which also works where
            MMEngine cannot build it for want of pictures. Pictures without a
            `seg_map_path` are not labelled and pass, whatever their classes.
        num_masks: How many masks of each data set to read, spread evenly over it; None
            reads all.
        num_classes: The model's, where it is known: it has to be the data set's.

    Raises:
        TypeError: `dataset` holds something else than data sets.
        ValueError: What `find_problems` finds, the first few of it.
    """
    if num_masks is not None and num_masks < 1:
        raise ValueError(f'`num_masks` must be at least 1 or None, got {num_masks}')
    problems = find_problems(dataset, num_masks=num_masks, num_classes=num_classes)
    found = list(islice(problems, MOST_REPORTED))
    if found:
        raise ValueError('\n'.join(found))


def find_problems(
    dataset: Any, *, num_masks: int | None = None, num_classes: int | None = None
) -> Iterator[str]:
    """Say one by one, each as a sentence, what is wrong with a data set.

    No pictures; pictures of a list that are missing, in one sentence where not every
    file is read; a mask that is missing, unreadable, in colour or of another size than
    its picture; ids that are neither in [0, C) nor ignored, with the file and the ids;
    another number of classes than the model's. Masks of nothing but 0 and the ignored
    id bring a warning: they may be black and white.

    Args:
        dataset, num_masks, num_classes: As in `check_dataset`.

    Yields:
        Sentences; none means that nothing was found.
    """
    for leaf in leaf_datasets(dataset):
        trouble = listing_trouble(leaf)
        if trouble:
            yield trouble
            continue
        # Where every file is looked at, each one says so itself.
        missing = [] if num_masks is None else missing_pictures(leaf)
        if missing:
            yield (
                f'the list {leaf.ann_file} names {len(leaf)} pictures, of which '
                f'{len(missing)} are missing: {some(missing)}'
            )
            continue
        labelled, classes = has_masks(leaf), leaf.metainfo.get('classes')
        count = num_classes if classes is None else len(classes)
        if labelled and num_classes not in (None, count):
            yield classes_trouble(leaf, num_classes)
        if count is not None or not labelled:
            yield from _file_problems(leaf, count or 0, num_masks)


def listing_trouble(leaf: BaseDataset) -> str:
    """List the pictures of a data set; say why there are none, '' if there are."""
    try:
        leaf.full_init()
        found = len(leaf)
    # A missing list is an AssertionError in mmseg.
    except (FileNotFoundError, AssertionError) as error:
        hint = _hint(leaf.ann_file)
        return f'the data set {type(leaf).__name__} cannot be listed: {error}{hint}'
    except ValueError:
        # MMEngine cannot serialize an empty list.
        if leaf.data_list:
            raise
        found = 0
    if found:
        return ''
    folder = leaf.data_prefix.get('img_path') or leaf.data_root
    suffix = getattr(leaf, 'img_suffix', '')
    listed = f', as listed in {leaf.ann_file!r}' if leaf.ann_file else ''
    return f'no pictures *{suffix} in the folder {folder!r}{listed}'


def missing_pictures(leaf: BaseDataset) -> list[str]:
    """The pictures that the list of a data set names and that are not there."""
    if not leaf.ann_file:
        return []
    backend_args = getattr(leaf, 'backend_args', None)
    infos = (leaf.get_data_info(index) for index in range(len(leaf)))
    paths = [info['img_path'] for info in infos if info.get('img_path')]
    return [path for path in paths if not fileio.exists(path, backend_args)]


def has_masks(leaf: BaseDataset) -> bool:
    """Whether the pictures of a data set, which are listed, have masks."""
    return leaf.get_data_info(0).get('seg_map_path') is not None


def classes_trouble(leaf: BaseDataset, num_classes: int) -> str:
    """Say that the model has another number of classes than the data set."""
    classes = leaf.metainfo['classes']
    return (
        f'the model has {num_classes} classes, the data set {type(leaf).__name__} has '
        f'{len(classes)}: {some(classes)}'
    )


def picture_paths(leaf: BaseDataset) -> set[str]:
    """The pictures that a listed data set has, links resolved."""
    infos = map(leaf.get_data_info, range(len(leaf)))
    return {os.path.realpath(info['img_path']) for info in infos if 'img_path' in info}


def leaf_datasets(dataset: Any) -> Iterator[BaseDataset]:
    """The data sets inside any nesting of wrappers, in order.

    Those of a config are built without their pipelines and not yet listed.

    Raises:
        TypeError: There is something else inside.
        ValueError: A config's data set cannot be built without its files.
    """
    if isinstance(dataset, BaseDataset):
        yield dataset
    elif isinstance(dataset, Mapping):
        inner = dataset.get('datasets') or [
            dataset[key] for key in WRAPPED if dataset.get(key) is not None
        ]
        if not inner:
            inner = [build_unlisted({**dataset, 'pipeline': []})]
        for part in inner:
            yield from leaf_datasets(part)
    elif hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from leaf_datasets(part)
    elif hasattr(dataset, 'dataset'):
        yield from leaf_datasets(dataset.dataset)
    else:
        raise TypeError(
            '`dataset` must be a BaseSegDataset, a wrapper of such or a config, '
            f'got {type(dataset).__name__}'
        )


def build_unlisted(config: Mapping) -> BaseDataset:
    """The data set of a config; its pictures are not yet listed.

    Raises:
        ValueError: It cannot be built without its files.
    """
    leaf = {**copy.deepcopy(dict(config)), 'lazy_init': True}
    try:
        return DATASETS.build(leaf)
    except AssertionError as error:  # PascalVOCDataset's, without a word
        root, prefix = leaf.get('data_root') or '', leaf.get('data_prefix') or {}
        folder = os.path.join(root, prefix.get('img_path') or '')
        listed = os.path.join(root, leaf.get('ann_file') or '')
        raise ValueError(
            f'the data set {leaf["type"]} needs the folder {folder!r} and the list '
            f'{listed!r} {error}'.rstrip()
            + _hint(listed)
        ) from error


def _hint(listed: str) -> str:
    """Who writes a list that is missing, where its name tells."""
    missing = os.path.basename(listed) in SPLIT_LISTS and not os.path.exists(listed)
    return '; tools/make_splits.py writes such lists' if missing else ''


def _file_problems(
    leaf: BaseDataset, num_classes: int, num_masks: int | None
) -> Iterator[str]:
    """Sentences about the pictures and masks of one data set."""
    target = target_of(leaf, num_classes)
    seen: set[int] = set()
    for index in _spread(len(leaf), num_masks):
        pair = inspect_pair(
            leaf.get_data_info(index),
            target,
            backend_args=getattr(leaf, 'backend_args', None),
        )
        seen.update(pair.pixels)
        yield from (problem.sentence for problem in pair.problems)
    if seen == {0, target.ignored}:
        warnings.warn(
            f'every mask read of {type(leaf).__name__} holds only 0 and '
            f'{target.ignored}, which is ignored: if they are black and white, write 1 '
            f'for white',
            stacklevel=2,
        )


def target_of(leaf: BaseDataset, num_classes: int) -> Target:
    """What the masks of a data set have to fit."""
    ignored = getattr(leaf, 'ignore_index', 255)
    return Target(num_classes, leaf.metainfo.get('palette', ()), ignored)


def _spread(length: int, count: int | None) -> list[int]:
    """At most `count` indices, evenly from the first to the last."""
    if count is None or count >= length:
        return list(range(length))
    return sorted({round(i) for i in np.linspace(0, length - 1, count)})
