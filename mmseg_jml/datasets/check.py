"""Does a data set fit its classes? Asked before an hour of training, not after."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import mmcv
import numpy as np
from mmengine import fileio
from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS

MOST_REPORTED = 5  # problems in one error message


def check_dataset(
    dataset: Any, *, num_masks: int | None = 32, num_classes: int | None = None
) -> None:
    """Refuse a data set without pictures or with masks that do not fit its classes.

    Args:
        dataset: A `BaseSegDataset`, or a wrapper of such: whatever holds them as its
            `dataset` or `datasets`; or the config of either, which also works where
            MMEngine cannot build it for want of pictures. Pictures without a
            `seg_map_path` are not labelled and pass.
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

    No pictures; a mask that is missing, unreadable or in colour; ids that are neither
    in [0, C) nor ignored, with the file and the ids; another number of classes than
    the model's. Masks of nothing but 0 and the ignored id bring a warning: they may be
    black and white.

    Args:
        dataset, num_masks, num_classes: As in `check_dataset`.

    Yields:
        Sentences; none means that nothing was found.
    """
    for leaf in leaf_datasets(dataset):
        try:
            leaf.full_init()
        except FileNotFoundError as error:
            yield f'the data set {type(leaf).__name__} cannot be listed: {error}'
            continue
        except ValueError:
            if leaf.data_list:
                raise
            # MMEngine cannot serialize an empty list.
            yield _no_pictures(leaf)
            continue
        classes = leaf.metainfo.get('classes')
        if classes is not None and num_classes not in (None, len(classes)):
            yield (
                f'the model has {num_classes} classes, the data set '
                f'{type(leaf).__name__} has {len(classes)}: {_some(classes)}'
            )
        if len(leaf) == 0:
            yield _no_pictures(leaf)
        elif classes is not None or num_classes is not None:
            count = len(classes) if classes is not None else num_classes
            yield from _file_problems(leaf, count, num_masks)


def leaf_datasets(dataset: Any) -> Iterator[BaseDataset]:
    """The data sets inside any nesting of wrappers, in order.

    Those of a config are built without their pipelines and not yet listed.

    Raises:
        TypeError: There is something else inside.
    """
    if isinstance(dataset, BaseDataset):
        yield dataset
    elif isinstance(dataset, Mapping):
        inner = dataset.get('datasets') or [dataset.get('dataset')]
        if inner == [None]:
            leaf = {**copy.deepcopy(dict(dataset)), 'pipeline': [], 'lazy_init': True}
            inner = [DATASETS.build(leaf)]
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


def mask_ids(path: str, backend_args: dict | None = None) -> list[int]:
    """The ids in a mask file, sorted, read as `LoadAnnotations` reads them.

    Raises:
        ValueError: The file is missing or unreadable, or is no map of ids.
    """
    if not fileio.exists(path, backend_args=backend_args):
        raise ValueError(f'mask {path} is missing')
    data = fileio.get(path, backend_args=backend_args)
    try:
        mask = mmcv.imfrombytes(data, flag='unchanged', backend='pillow').squeeze()
    except Exception as error:  # Pillow raises what it likes on broken files
        raise ValueError(f'mask {path} is not a readable picture: {error}') from error
    if mask.ndim != 2:
        raise ValueError(
            f'mask {path} is a colour picture of shape {mask.shape}: '
            'it must hold one class id a pixel, (H, W)'
        )
    return np.unique(mask).tolist()


def _no_pictures(leaf: BaseDataset) -> str:
    folder = leaf.data_prefix.get('img_path') or leaf.data_root
    suffix = getattr(leaf, 'img_suffix', '')
    listed = f', as listed in {leaf.ann_file!r}' if leaf.ann_file else ''
    return f'no pictures *{suffix} in the folder {folder!r}{listed}'


def _file_problems(
    leaf: BaseDataset, num_classes: int, num_masks: int | None
) -> Iterator[str]:
    """Sentences about the pictures and masks of one data set."""
    ignored = getattr(leaf, 'ignore_index', 255)
    backend_args = getattr(leaf, 'backend_args', None)
    seen: set[int] = set()
    for index in _spread(len(leaf), num_masks):
        info = leaf.get_data_info(index)
        picture, mask = info.get('img_path'), info.get('seg_map_path')
        if picture and not fileio.exists(picture, backend_args=backend_args):
            yield f'picture {picture} is missing'
        if mask is None:
            continue
        try:
            ids = mask_ids(mask, backend_args)
        except ValueError as error:
            yield str(error)
            continue
        seen.update(ids)
        wrong = [i for i in ids if not _fits(i, info, num_classes, ignored)]
        if wrong:
            yield (
                f'mask {mask} holds the ids {_some(wrong)}, but {num_classes} classes '
                f'allow {_allowed(info, num_classes)}, and {ignored} for ignored'
                f'{_hint(ids, wrong, info, num_classes)}'
            )
    if seen == {0, ignored}:
        warnings.warn(
            f'every mask read of {type(leaf).__name__} holds only 0 and {ignored}, '
            f'which is ignored: if they are black and white, write 1 for white',
            stacklevel=2,
        )


def _spread(length: int, count: int | None) -> list[int]:
    """At most `count` indices, evenly from the first to the last."""
    if count is None or count >= length:
        return list(range(length))
    return sorted({round(i) for i in np.linspace(0, length - 1, count)})


def _fits(mask_id: int, info: dict, num_classes: int, ignored: int) -> bool:
    """Whether `LoadAnnotations` makes of this id a class or an ignored pixel."""
    if mask_id > 255:  # it would wrap around
        return False
    if info.get('reduce_zero_label'):
        mask_id = 255 if mask_id in (0, 255) else mask_id - 1
    mask_id = (info.get('label_map') or {}).get(mask_id, mask_id)
    return mask_id < num_classes or mask_id == ignored


def _allowed(info: dict, num_classes: int) -> str:
    if info.get('label_map'):
        return f'0 to {max(info["label_map"])}'
    if info.get('reduce_zero_label'):
        return f'1 to {num_classes}, 0 for ignored (`reduce_zero_label=True`)'
    return f'0 to {num_classes - 1}'


def _hint(ids: list[int], wrong: list[int], info: dict, num_classes: int) -> str:
    """What a mask with such ids usually means."""
    if set(ids) <= {0, 255}:
        return '. A black and white mask? Write 1 for white'
    if wrong == [num_classes] and not info.get('reduce_zero_label'):
        return (
            '. Off by one? If 0 means unlabelled, set `reduce_zero_label=True` in the '
            'data set; if 0 is a class, `classes` lacks one'
        )
    return ''


def _some(items: Sequence) -> str:
    """The first few of a long list."""
    shown = ', '.join(str(item) for item in items[:8])
    return f'{shown}, ... ({len(items)} in all)' if len(items) > 8 else shown
