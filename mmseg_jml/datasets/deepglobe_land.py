"""DeepGlobe Land Cover: 803 labelled satellite images of 2448x2448, six classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

NUM_FOLDS = 5
IMG_SUFFIX = '_sat.jpg'


@DATASETS.register_module()
class DeepGlobeLandDataset(BaseSegDataset):
    """The land cover dataset of the DeepGlobe challenge, as label maps.

    `tools/dataset_converters/deepglobe.py` makes the label maps from the colour masks
    and writes the fold lists that `ann_file` names: images `<id>_sat.jpg`, label maps
    `<id>.png`. Pixels of the class "unknown" are ignored, 255.

    Source: Demir et al., DeepGlobe 2018, CVPR Workshops.

    Args:
        img_suffix, seg_map_suffix: Endings of the files' names.
        options: As in `BaseSegDataset`.

    Raises:
        FileNotFoundError: `ann_file` is missing, which a wrong fold makes it too.

    >>> dataset = DeepGlobeLandDataset(lazy_init=True)
    >>> dataset.metainfo['classes'][5], dataset.metainfo['palette'][5]
    ('barren', [255, 255, 255])
    """

    METAINFO = {  # noqa: RUF012  (the name and kind are mmengine's)
        'classes': ('urban', 'agriculture', 'rangeland', 'forest', 'water', 'barren'),
        'palette': [
            [0, 255, 255],
            [255, 255, 0],
            [255, 0, 255],
            [0, 255, 0],
            [0, 0, 255],
            [255, 255, 255],
        ],
    }

    def __init__(
        self,
        *,
        img_suffix: str = IMG_SUFFIX,
        seg_map_suffix: str = '.png',
        **options: Any,
    ) -> None:
        super().__init__(
            img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **options
        )

    def load_data_list(self) -> list[dict]:
        """One entry for each image, as `BaseSegDataset` reads them from a list."""
        if self.ann_file and not Path(self.ann_file).exists():
            raise FileNotFoundError(
                f'there is no fold list {self.ann_file!r}: folds are 0 to '
                f'{NUM_FOLDS - 1}, and the converter deepglobe.py in the source '
                f'repository of '
                f'mmseg_jml writes their lists'
            )
        return super().load_data_list()


def fold_split(pictures: Sequence[str], fold: int) -> tuple[list[str], list[str]]:
    """Which pictures one of five folds trains on, and which it validates on.

    Sorted by name, fold f validates on the images from f·(n // 5) on, n // 5 of
    them, and trains on all others. Of the 803 images each fold validates on 160, and
    none on the last 3, as in the code of the paper's authors (arXiv 2302.05666).

    Args:
        pictures: n ≥ 5 file names in any order.
        fold: From 0 to 4.

    Returns:
        The training images and the validation images, each sorted.

    Raises:
        ValueError: Fewer than 5 images, or another fold.

    >>> fold_split(['f', 'e', 'd', 'c', 'b', 'a'], 1)
    (['a', 'c', 'd', 'e', 'f'], ['b'])
    """
    if fold not in range(NUM_FOLDS):
        raise ValueError(f'`fold` must be 0 to {NUM_FOLDS - 1}, got {fold!r}')
    if len(pictures) < NUM_FOLDS:
        raise ValueError(
            f'`pictures` must hold at least {NUM_FOLDS}, one for each fold, got '
            f'{len(pictures)}'
        )
    ordered, size = sorted(pictures), len(pictures) // NUM_FOLDS
    start = fold * size
    held_out = ordered[start : start + size]
    return ordered[:start] + ordered[start + size :], held_out


def label_from_colours(mask: np.ndarray) -> np.ndarray:
    """Class ids of a mask that is painted in the classes' colours.

    The masks are not clean: each channel is on or off at a threshold of 128. What is
    no class, black (unknown) and red, which the dataset does not use, is 255.

    Args:
        mask: (H, W, 3) uint8 RGB.

    Returns:
        (H, W) uint8: 0 to 5, or 255.

    >>> label_from_colours(np.array([[[7, 250, 249], [3, 0, 0]]], np.uint8)).tolist()
    [[0, 255]]
    """
    bits = mask >> 7
    return _CLASS_OF_CODE[bits[..., 0] << 2 | bits[..., 1] << 1 | bits[..., 2]]


_CLASS_OF_CODE = np.full(8, 255, np.uint8)  # code: one bit a channel, RGB
for _class_id, _colour in enumerate(DeepGlobeLandDataset.METAINFO['palette']):
    _CLASS_OF_CODE[np.dot(np.greater(_colour, 127), (4, 2, 1))] = _class_id
