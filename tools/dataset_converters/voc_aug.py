"""Make VOC's train_aug: its own masks and those of SBD, in one folder and one list.

`python tools/dataset_converters/voc_aug.py SBD [VOC]`, where SBD/cls has SBD's .mat
files (benchmark_RELEASE/dataset of its archive) and VOC is the folder VOC2012. Run the
same command again to continue after an interruption.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_jml.datasets.convert import Conversion, convert_masks, finish, write_list
from mmseg_jml.datasets.parallel import DEFAULT_WORKERS

CLASSES = 21
PICTURES = 10582  # in train_aug
LISTS = Path('ImageSets/Segmentation')


def main(argv: Sequence[str] | None = None) -> int:
    """Convert the masks; return 1 if a file failed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('sbd', type=Path)
    parser.add_argument(
        'voc', nargs='?', type=Path, default=Path('data/VOCdevkit/VOC2012')
    )
    parser.add_argument('--workers', type=int, default=DEFAULT_WORKERS)
    args = parser.parse_args(argv)
    _require_scipy()
    try:
        own, val = (
            set((args.voc / LISTS / f'{split}.txt').read_text().split())
            for split in ('train', 'val')
        )
    except OSError as error:
        sys.exit(f'error: {error}')
    added = {path.stem for path in (args.sbd / 'cls').glob('*.mat')}
    if not added:
        sys.exit(f'error: there are no masks *.mat in {args.sbd / "cls"}')
    names = sorted((own | added) - val)
    if len(names) != PICTURES:
        print(f"note: {len(names)} images; the paper's train_aug has {PICTURES}")
    jobs = [
        Conversion(
            # VOC's own masks are the finer ones.
            args.voc / 'SegmentationClass' / f'{name}.png'
            if name in own
            else args.sbd / 'cls' / f'{name}.mat',
            args.voc / 'SegmentationClassAug' / f'{name}.png',
            args.voc / 'JPEGImages' / f'{name}.jpg',
        )
        for name in names
    ]
    problems = convert_masks(jobs, read_label, workers=args.workers)
    write_list(args.voc / LISTS / 'trainaug.txt', names)
    return finish(problems)


def read_label(path: Path) -> np.ndarray:
    """The label map of one of VOC's masks, PNG, or of SBD's, .mat."""
    if path.suffix == '.png':
        with Image.open(path) as image:
            label = np.array(image)
    else:
        from scipy.io import loadmat

        contents = loadmat(path, variable_names=['GTcls'])
        label = contents['GTcls'][0, 0]['Segmentation']
    wrong = np.setdiff1d(label, [*range(CLASSES), 255])
    if len(wrong):
        raise ValueError(f'it contains the ids {wrong.tolist()}')
    return label.astype(np.uint8)


def _require_scipy() -> None:
    try:
        import scipy.io  # noqa: F401
    except ImportError as error:
        sys.exit(f"error: SciPy reads SBD's .mat files: pip install scipy ({error})")


if __name__ == '__main__':
    sys.exit(main())
