"""Check that the masks of a dataset fit its classes, before an hour of training."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS

from .listing import images_left_out, list_hint, listing_trouble, missing_images
from .pairs import MaskRules, inspect_pair, some
from .reading import Reader, built, loading_steps
from .verdict import MaskIds

MOST_REPORTED = 5  # problems in one error message
WRAPPED = ('dataset', 'labelled', 'unlabelled')  # where a wrapper holds datasets


def check_dataset(
    dataset: Any, *, num_masks: int | None = 32, num_classes: int | None = None
) -> None:
    """Refuse a dataset without images or with masks that do not fit its classes.

    Args:
        dataset: A `BaseSegDataset`, or a wrapper of such: whatever holds them as its
            `dataset` or `datasets`; or the config of either, which also works where
            MMEngine cannot build it for want of images. Images without a
            `seg_map_path` are not labelled and pass, whatever their classes.
        num_masks: How many masks of each dataset to read, spread evenly over it; None
            reads all.
        num_classes: The model's, where it is known: it has to be the dataset's.

    Raises:
        TypeError: `dataset` holds something else than datasets.
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
    """Say one by one, each as a sentence, what is wrong with a dataset.

    No images; images of a list that are missing, in one sentence where not every
    file is read; a mask that is missing, unreadable, in colour or of another size than
    its image; ids that are neither in [0, C) nor ignored, with the file and the ids;
    another number of classes than the model's; images that are left out because of
    their suffix. What only all masks together tell (black and white masks, masks of one
    class alone) is a warning where not every mask is read.

    Args:
        dataset, num_masks, num_classes: As in `check_dataset`.

    Yields:
        Sentences; none means that nothing was found.
    """
    masks, whole = MaskIds(), True
    for leaf in leaf_datasets(dataset):
        trouble = listing_trouble(leaf)
        if trouble:
            yield trouble
            continue
        # Where every file is looked at, each one says so itself.
        missing = [] if num_masks is None else missing_images(leaf)
        if missing:
            yield (
                f'the list {leaf.ann_file} names {len(leaf)} images, of which '
                f'{len(missing)} are missing: {some(missing)}'
            )
            continue
        whole &= num_masks is None or num_masks >= len(leaf)
        labelled, classes = has_masks(leaf), leaf.metainfo.get('classes')
        count = num_classes if classes is None else len(classes)
        if labelled and num_classes not in (None, count):
            yield classes_trouble(leaf, num_classes)
        if count is not None or not labelled:
            rules = mask_rules(leaf, count or 0)
            yield from _file_problems(leaf, rules, num_masks, masks)
    problems, notes = masks.judge()
    for problem in problems:
        if whole:
            yield problem.sentence
        else:  # the masks that were not read may tell otherwise
            notes.append(f'in the masks that were read: {problem.sentence}')
    for note in notes:
        warnings.warn(note, stacklevel=2)


def has_masks(leaf: BaseDataset) -> bool:
    """Whether the images of a dataset, which are listed, have masks."""
    return leaf.get_data_info(0).get('seg_map_path') is not None


def classes_trouble(leaf: BaseDataset, num_classes: int) -> str:
    """Say that the model has another number of classes than the dataset."""
    classes = leaf.metainfo['classes']
    return (
        f'the model has {num_classes} classes, but the dataset {type(leaf).__name__} '
        f'has {len(classes)}: {some(classes)}'
    )


def leaf_datasets(dataset: Any) -> Iterator[BaseDataset]:
    """The datasets inside any nesting of wrappers, in order.

    Those of a config are not yet listed; of their pipelines only the steps are built
    that load the image and the mask.

    Raises:
        TypeError: There is something else inside.
        ValueError: A config's dataset cannot be built without its files.
    """
    if isinstance(dataset, BaseDataset):
        yield dataset
    elif isinstance(dataset, Mapping):
        inner = dataset.get('datasets') or [
            dataset[key] for key in WRAPPED if dataset.get(key) is not None
        ]
        if not inner:
            inner = [build_unlisted(dataset, loaders_only=True)]
        for part in inner:
            yield from leaf_datasets(part)
    elif hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from leaf_datasets(part)
    elif hasattr(dataset, 'dataset'):
        yield from leaf_datasets(dataset.dataset)
    else:
        raise TypeError(
            '`dataset` must be a BaseSegDataset, a wrapper of one or a config, '
            f'got {type(dataset).__name__}'
        )


def leaf_of(dataset: Any, index: int) -> tuple[BaseDataset, int]:
    """The dataset inside any wrappers that has an image, and the image's index there.

    The wrappers are those of MMEngine and torch: they hold several `datasets`, one
    `dataset` whose images they repeat, or some `indices` of it.
    """
    while hasattr(dataset, 'datasets') or hasattr(dataset, 'dataset'):
        if hasattr(dataset, 'datasets'):
            for part in dataset.datasets:
                if index < len(part):
                    break
                index -= len(part)
            dataset = part
            continue
        if hasattr(dataset, '_get_ori_dataset_idx'):
            index = dataset._get_ori_dataset_idx(index)
        elif hasattr(dataset, 'indices'):
            index = dataset.indices[index]
        dataset = dataset.dataset
    return dataset, index


def build_unlisted(config: Mapping, *, loaders_only: bool = False) -> BaseDataset:
    """The dataset of a config; its images are not yet listed.

    Args:
        config: Of one dataset.
        loaders_only: Leave out all other steps of the pipeline.

    Raises:
        ValueError: It cannot be built without its files.
    """
    leaf = {**copy.deepcopy(dict(config)), 'lazy_init': True}
    if loaders_only:
        steps = loading_steps(leaf.get('pipeline') or ())
        leaf['pipeline'] = [built(step) for step in steps if step is not None]
    try:
        return DATASETS.build(leaf)
    except AssertionError as error:  # PascalVOCDataset's, without a word
        root, prefix = leaf.get('data_root') or '', leaf.get('data_prefix') or {}
        folder = os.path.join(root, prefix.get('img_path') or '')
        listed = os.path.join(root, leaf.get('ann_file') or '')
        raise ValueError(
            f'the dataset {leaf["type"]} needs the folder {folder!r} and the list '
            f'{listed!r} {error}'.rstrip()
            + list_hint(listed)
        ) from error


def _file_problems(
    leaf: BaseDataset, rules: MaskRules, num_masks: int | None, masks: MaskIds
) -> Iterator[str]:
    """Sentences about the images and masks of one dataset; adds to `masks`."""
    reader = Reader.of(leaf)
    contradiction = reader.contradiction(leaf.get_data_info(0))
    if contradiction:
        yield contradiction
    for problem in images_left_out(leaf)[0]:
        yield problem.sentence
    for index in _spread(len(leaf), num_masks):
        entry = leaf.get_data_info(index)
        pair = inspect_pair(entry, rules, reader)
        masks.add(entry, pair, reader, rules)
        yield from (problem.sentence for problem in pair.problems)


def mask_rules(leaf: BaseDataset, num_classes: int) -> MaskRules:
    """What the masks of a dataset have to fit."""
    ignored = getattr(leaf, 'ignore_index', 255)
    return MaskRules(num_classes, leaf.metainfo.get('palette', ()), ignored)


def _spread(length: int, count: int | None) -> list[int]:
    """At most `count` indices, evenly from the first to the last."""
    if count is None or count >= length:
        return list(range(length))
    return sorted({round(i) for i in np.linspace(0, length - 1, count)})
