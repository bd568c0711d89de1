"""Turn DeepGlobe's colour masks into label maps, and write the lists of the five folds.

`python tools/dataset_converters/deepglobe.py [ROOT]`, where ROOT/land-train has the
unpacked images and masks. Run the same command again to continue after an interruption.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_jml.datasets.convert import Conversion, convert_masks, finish, write_list
from mmseg_jml.datasets.deepglobe_land import (
    IMG_SUFFIX,
    NUM_FOLDS,
    fold_split,
    label_from_colours,
)
from mmseg_jml.datasets.parallel import DEFAULT_WORKERS

MASK_SUFFIX = '_mask.png'
PICTURES = 803  # in the challenge's land-train


def main(argv: Sequence[str] | None = None) -> int:
    """Convert the masks; return 1 if a file failed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('root', nargs='?', type=Path, default=Path('data/deepglobe'))
    parser.add_argument('--workers', type=int, default=DEFAULT_WORKERS)
    args = parser.parse_args(argv)
    source = args.root / 'land-train'
    pictures = [path.name for path in source.glob(f'*{IMG_SUFFIX}')]
    if len(pictures) < NUM_FOLDS:
        sys.exit(f'error: there are {len(pictures)} images *{IMG_SUFFIX} in {source}')
    if len(pictures) != PICTURES:
        print(f"note: {len(pictures)} images; the paper's folds have {PICTURES}")
    ids = sorted(name.removesuffix(IMG_SUFFIX) for name in pictures)
    problems = convert_masks(
        [
            Conversion(
                source / f'{i}{MASK_SUFFIX}',
                args.root / 'labels' / f'{i}.png',
                source / f'{i}{IMG_SUFFIX}',
            )
            for i in ids
        ],
        read_label,
        workers=args.workers,
    )
    masks = {path.name.removesuffix(MASK_SUFFIX) for path in source.glob('*_mask.png')}
    problems += [
        f'mask {source / f"{i}{MASK_SUFFIX}"} has no image'
        for i in sorted(masks.difference(ids))
    ]
    write_folds(args.root / 'folds', pictures)
    return finish(problems)


def read_label(path: Path) -> np.ndarray:
    """The label map of a colour mask."""
    with Image.open(path) as image:
        if image.mode != 'RGB':
            raise ValueError(f'it must be RGB, got mode {image.mode}')
        return label_from_colours(np.array(image))


def write_folds(folder: Path, pictures: Sequence[str]) -> None:
    """Write fold0_train.txt, fold0_val.txt and so on: names without suffix."""
    for fold in range(NUM_FOLDS):
        train, val = fold_split(pictures, fold)
        for split, names in (('train', train), ('val', val)):
            stems = [name.removesuffix(IMG_SUFFIX) for name in names]
            write_list(folder / f'fold{fold}_{split}.txt', stems)


if __name__ == '__main__':
    sys.exit(main())
