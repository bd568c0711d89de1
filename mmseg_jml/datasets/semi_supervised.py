"""Labelled and unlabelled images as one dataset, and a batch of both."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import FUNCTIONS
from mmseg.registry import DATASETS
from torch.utils.data import Dataset

from .broken_files import name_broken_files
from .check import build_unlisted, has_masks, leaf_datasets
from .listing import image_paths, listing_trouble
from .pairs import some
from .views import STRONG, PackViews

Sample = dict[str, dict[str, Any]]


class Draw(NamedTuple):
    """An image that a sampler chose, and the seed of all that is random in it."""

    index: int
    seed: int


@DATASETS.register_module()
class SemiSupervisedDataset(Dataset):
    """A labelled dataset, followed by one whose labels are not trained on.

    The two are lists of images of one dataset, which `tools/make_splits.py` writes,
    or two datasets. A sample holds branches: `labelled`, or the views of an unlabelled
    image, `weak`, `strong` and, if there are two, `strong_2`. Views share scale, crop
    and flip, which the pipeline of `unlabelled` draws once; what `strong` adds to the
    strong ones is photometric.

    Args:
        labelled: A dataset or its config, with a pipeline that packs; for images in
            several folders a ConcatDataset of them, and RepeatDataset works too.
        unlabelled: Alike, but with a pipeline that loads by `LoadOptionalAnnotations`
            and does not pack. Masks that are there are not trained on: they tell how
            right the pseudo-labels are. Without a `seg_map_path` in `data_prefix` none
            are looked for.
        strong: Transforms of a strong view.
        strong_views: How many strong views, 0 to 2; each draws anew.

    Raises:
        TypeError: `labelled` or `unlabelled` is no dataset.
        ValueError: One of them has no images or cannot be listed, `labelled` has no
            masks or other classes than those of `unlabelled`, or another number of
            `strong_views`.

    Warns:
        UserWarning: Labelled images are among the unlabelled ones: it may be meant.

    >>> from mmengine.registry import init_default_scope
    >>> init_default_scope('mmseg')
    >>> shapes = {'type': 'SyntheticShapesDataset', 'length': 2, 'size': (32, 48)}
    >>> load = [{'type': 'LoadImageFromFile'}, {'type': 'LoadOptionalAnnotations'}]
    >>> dataset = SemiSupervisedDataset(
    ...     labelled={**shapes, 'pipeline': [*load, {'type': 'PackSegInputs'}]},
    ...     unlabelled={**shapes, 'seed': 1, 'pipeline': load},
    ... )
    >>> [list(dataset[index]['inputs']) for index in (0, 2)]
    [['labelled'], ['weak', 'strong']]
    """

    def __init__(
        self,
        *,
        labelled: Dataset | Mapping[str, Any],
        unlabelled: Dataset | Mapping[str, Any],
        strong: Sequence[Any] = STRONG,
        strong_views: int = 1,
    ) -> None:
        self.labelled = _listed('labelled', labelled)
        self.unlabelled = _listed('unlabelled', unlabelled)
        self.views = PackViews(strong, strong_views)
        self._compare_classes()
        self._warn_of_shared_images()
        name_broken_files(self)

    @property
    def datasets(self) -> tuple[Dataset, Dataset]:
        """The two."""
        return self.labelled, self.unlabelled

    @property
    def metainfo(self) -> dict:
        """That of the labelled pictures."""
        return self.labelled.metainfo

    def __len__(self) -> int:
        return len(self.labelled) + len(self.unlabelled)

    def __getitem__(self, draw: int | Draw) -> Sample:
        """The branches of one picture.

        Args:
            draw: Its index, the labelled ones first. With a seed, what is random
                depends on nothing else, so that a sample is the same in every worker
                and after a resume, and no other random state moves.

        Raises:
            UnreadableError: The image or its mask cannot be loaded; the message has
                the paths.
        """
        if isinstance(draw, Draw):
            with seeded(draw.seed):
                return self._load(draw.index)
        return self._load(draw)

    def _load(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f'`index` must be 0 to {len(self) - 1}, got {index}')
        first = len(self.labelled)
        if index >= first:
            return self.views(self.unlabelled[index - first])
        sample = self.labelled[index]
        return {key: {'labelled': value} for key, value in sample.items()}

    def _compare_classes(self) -> None:
        """Refuse masks of other classes; images without masks may have any."""
        ours = self.metainfo.get('classes')
        for leaf in leaf_datasets(self.labelled):
            if not has_masks(leaf):
                raise ValueError(
                    '`labelled` has no masks: set `seg_map_path` in its `data_prefix`'
                )
            _require_classes('labelled', leaf, ours)
        for leaf in leaf_datasets(self.unlabelled):
            if has_masks(leaf):
                _require_classes('unlabelled', leaf, ours)

    def _warn_of_shared_images(self) -> None:
        labelled, unlabelled = (
            set().union(*map(image_paths, leaf_datasets(part)))
            for part in self.datasets
        )
        shared = sorted(labelled & unlabelled)
        if shared:
            warnings.warn(
                f'{len(shared)} of {len(labelled)} labelled images are also among the '
                f'unlabelled ones: {some(shared)}',
                stacklevel=3,
            )


def _require_classes(
    name: str, leaf: BaseDataset, classes: Sequence[str] | None
) -> None:
    theirs = leaf.metainfo.get('classes')
    if list(theirs or ()) != list(classes or ()):
        raise ValueError(
            f'the masks of `{name}` have other classes than those of `labelled`: '
            f'{some(theirs or ())} and {some(classes or ())}; leave `seg_map_path` out '
            f'of the `data_prefix` of `unlabelled` to train without its masks'
        )


def _listed(name: str, dataset: Any) -> Any:
    """The dataset or wrapper, built, with its images listed; there are some."""
    try:
        if isinstance(dataset, Mapping):
            dataset = _unlisted(dataset)
            if isinstance(dataset, Mapping):
                dataset = DATASETS.build(dataset)
        leaves = list(leaf_datasets(dataset))
    except TypeError as error:
        raise TypeError(
            f'`{name}` must be a BaseSegDataset, a wrapper of one (ConcatDataset, '
            f'RepeatDataset) or the config of one, got {type(dataset).__name__}: '
            f'{error}'
        ) from error
    for leaf in leaves:
        trouble = listing_trouble(leaf)
        if trouble:
            raise ValueError(f'`{name}`: {trouble}')
    dataset.full_init()
    return dataset


def _unlisted(config: Mapping[str, Any]) -> Any:
    """Build the datasets in a config, whose images are not yet listed.

    Returns:
        A dataset; or the config of a wrapper with datasets in it, since MMEngine's
        wrappers take other wrappers as configs alone.
    """
    wrapper = {**config, 'lazy_init': True}
    if 'datasets' in wrapper:
        wrapper['datasets'] = [_unlisted(part) for part in wrapper['datasets']]
    elif 'dataset' in wrapper:
        wrapper['dataset'] = _unlisted(wrapper['dataset'])
    else:
        return build_unlisted(config)
    return wrapper


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers of Python, NumPy and Torch (CPU) from a seed, then as before.

    >>> with seeded(3):
    ...     first = random.random()
    >>> with seeded(3):
    ...     random.random() == first
    True
    """
    # torch.manual_seed would seed CUDA's generators too.
    torch_generator = torch.default_generator
    states = random.getstate(), np.random.get_state(), torch_generator.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch_generator.set_state(states[2])


@FUNCTIONS.register_module()
def branch_collate(samples: Sequence[Sample]) -> Sample:
    """Lists of the samples' inputs and data samples, by branch.

    Args:
        samples: Those of a `SemiSupervisedDataset`, labelled and unlabelled in any
            order and number.

    Returns:
        `dict(inputs={branch: [...]}, data_samples={branch: [...]})`. Those of `weak`,
        `strong` and `strong_2` are in the same order.

    Raises:
        ValueError: All are labelled, or none is.

    >>> views = {'inputs': {'weak': 1, 'strong': 2}, 'data_samples': {}}
    >>> labelled = {'inputs': {'labelled': 3}, 'data_samples': {}}
    >>> branch_collate([views, labelled])['inputs']
    {'weak': [1], 'strong': [2], 'labelled': [3]}
    """
    batch: Sample = {'inputs': {}, 'data_samples': {}}
    for sample in samples:
        for key, branches in sample.items():
            for branch, value in branches.items():
                batch[key].setdefault(branch, []).append(value)
    missing = {'labelled', 'weak'} - batch['inputs'].keys()
    if missing:
        raise ValueError(
            f'a batch needs labelled and unlabelled images, but this one with '
            f'{len(samples)} images has no {" and no ".join(sorted(missing))}: use '
            f'SemiSupervisedSampler with a `batch_size` that is a multiple of the sum '
            f'of its `ratio`'
        )
    return batch
