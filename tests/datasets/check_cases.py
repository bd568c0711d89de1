"""A small dataset of files, some of them wrong, for tests of the check."""

import numpy as np
from mmseg.datasets import BaseSegDataset
from PIL import Image

from mmseg_jml.datasets import find_problems

CLASSES = ('ground', 'cat', 'dog')


def make(folder, masks, **options):
    """A data set of 4 x 6 pictures whose masks hold the given ids."""
    for part in ('img', 'ann'):
        (folder / part).mkdir(exist_ok=True)
    for index, mask in enumerate(masks):
        Image.new('RGB', (6, 4)).save(folder / 'img' / f'{index:03}.jpg')
        if mask is not None:
            pixels = np.resize(np.asarray(mask), (4, 6))
            Image.fromarray(pixels.astype(np.uint8)).save(mask_path(folder, index))
    given = {
        'data_root': str(folder),
        'data_prefix': {'img_path': 'img', 'seg_map_path': 'ann'},
        'metainfo': {'classes': CLASSES},
    }
    return BaseSegDataset(**given | options)


def mask_path(folder, index):
    return folder / 'ann' / f'{index:03}.png'


def problems(*args, **options):
    return list(find_problems(*args, **options))
