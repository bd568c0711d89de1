"""Which labelled and unlabelled images come next: endless, in a fixed ratio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from .semi_supervised import Draw, SemiSupervisedDataset, branch_collate

SHUFFLE, AUGMENT = 0, 1  # what a random number is for
RATIO = (1, 1)


@DATA_SAMPLERS.register_module()
class SemiSupervisedSampler(Sampler[Draw]):
    """Endless draws of labelled and unlabelled images in a fixed ratio.

    With `ratio=(1, 3)` one labelled image is followed by three unlabelled ones, so
    that every batch has this ratio whose `batch_size`, which is that of one rank, is a
    multiple of 4. Both kinds are shuffled anew each time that all have been drawn, each
    at its own pace, and dealt out to the ranks in turn: until then no image comes
    twice, on whatever rank.

    Each draw carries the seed of its augmentation. So a training's images depend on
    the seed alone: neither on the number of workers nor on having been resumed.

    Args:
        dataset: The images.
        ratio: How many labelled and how many unlabelled ones, both at least 1.
        seed: The same on all ranks; None draws one for them.

    Raises:
        TypeError: `dataset` is no `SemiSupervisedDataset`.
        ValueError: `ratio` is not two whole numbers of at least 1.
    """

    def __init__(
        self,
        dataset: SemiSupervisedDataset,
        *,
        ratio: Sequence[int] = RATIO,
        seed: int | None = None,
    ) -> None:
        if not isinstance(dataset, SemiSupervisedDataset):
            raise TypeError(
                f'`dataset` must be a SemiSupervisedDataset, '
                f'got {type(dataset).__name__}'
            )
        check_ratio(ratio)
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.ratio = tuple(ratio)
        self.sizes = len(dataset.labelled), len(dataset.unlabelled)
        self.start = 0
        self._orders: dict[int, tuple[int, np.ndarray]] = {}

    def __iter__(self) -> Iterator[Draw]:
        """From `start` on, without end."""
        number = self.start
        while True:
            yield self.draw(number)
            number += 1

    def __len__(self) -> int:
        return sum(self.sizes)

    def skip(self, num_samples: int) -> None:
        """Begin after `num_samples` draws of this rank: MMEngine does to resume.

        Raises:
            ValueError: `num_samples` is negative.
        """
        if num_samples < 0:
            raise ValueError(f'`num_samples` must be at least 0, got {num_samples}')
        self.start = num_samples

    def draw(self, number: int) -> Draw:
        """The draw of this rank with a number from 0 on."""
        turn, place = divmod(number, sum(self.ratio))
        kind = int(place >= self.ratio[0])  # 0 labelled, 1 unlabelled
        of_rank = turn * self.ratio[kind] + place - kind * self.ratio[0]
        position = of_rank * self.world_size + self.rank
        epoch, offset = divmod(position, self.sizes[kind])
        seeds = np.random.SeedSequence([self.seed, AUGMENT, kind, position])
        return Draw(
            index=int(self._order(kind, epoch)[offset]) + kind * self.sizes[0],
            seed=int(seeds.generate_state(1)[0]),
        )

    def _order(self, kind: int, epoch: int) -> np.ndarray:
        """The images of a kind in the order of an epoch; the last one is kept."""
        known, order = self._orders.get(kind, (-1, None))
        if known != epoch:
            generator = np.random.default_rng([self.seed, SHUFFLE, kind, epoch])
            order = generator.permutation(self.sizes[kind])
            self._orders[kind] = epoch, order
        return order


def check_ratio(ratio: Sequence[int]) -> None:
    """Refuse what is not two whole numbers of at least 1.

    Raises:
        ValueError: It is not.

    >>> check_ratio((1, 3))
    """
    whole = isinstance(ratio, Sequence) and all(type(n) is int and n > 0 for n in ratio)
    if not whole or len(ratio) != 2:
        raise ValueError(
            f'`ratio` must be two whole numbers of at least 1, how many labelled and '
            f'how many unlabelled images, got {ratio!r}'
        )


def check_loader(loader: Mapping[str, Any]) -> None:
    """Refuse a data loader's config that does not give batches of a fixed ratio.

    A config whose dataset is no `SemiSupervisedDataset` passes.

    Raises:
        ValueError: Another sampler or another collate function, a `batch_size` that is
            no multiple of the ratio's sum, or a wrong ratio.

    >>> check_loader({'dataset': {'type': 'BaseSegDataset'}})
    """
    if loader['dataset'].get('type') != SemiSupervisedDataset.__name__:
        return
    needed = {'sampler': SemiSupervisedSampler, 'collate_fn': branch_collate}
    for key, kind in needed.items():
        given = (loader.get(key) or {}).get('type')
        if given != kind.__name__:
            raise ValueError(
                f'a SemiSupervisedDataset needs `{key}=dict(type={kind.__name__!r})`, '
                f'got {given!r}'
            )
    ratio = loader['sampler'].get('ratio', RATIO)
    check_ratio(ratio)
    if loader['batch_size'] % sum(ratio):
        raise ValueError(
            f'`batch_size` must be a multiple of {sum(ratio)} for a labelled to '
            f'unlabelled `ratio` of {ratio[0]}:{ratio[1]}, got {loader["batch_size"]}'
        )
