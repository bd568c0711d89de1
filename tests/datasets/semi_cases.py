"""A small data set of files, half of it with labels, for tests of semi-supervision."""

import numpy as np
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from PIL import Image

from mmseg_jml.datasets import SemiSupervisedDataset

CLASSES = ('ground', 'cat', 'dog')
SIZE = (24, 36)
LOAD = {'type': 'LoadImageFromFile'}
MASK = {'type': 'LoadAnnotations'}
OPTIONAL_MASK = {'type': 'LoadOptionalAnnotations'}
PACK = {'type': 'PackSegInputs'}
GEOMETRY = [
    {
        'type': 'RandomResize',
        'scale': SIZE[::-1],
        'ratio_range': (0.6, 2.0),
        'keep_ratio': True,
    },
    {'type': 'RandomCrop', 'crop_size': (20, 28)},
    {'type': 'RandomFlip', 'prob': 0.5},
]
LABELLED = [LOAD, MASK, *GEOMETRY, PACK]
UNLABELLED = [LOAD, OPTIONAL_MASK, *GEOMETRY]


def write_pictures(folder, number, void=True):
    """Noise with masks of the classes; the upper left of each is ignored if `void`."""
    rng = np.random.default_rng(0)
    for part in ('img', 'ann'):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in range(number):
        pixels = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        mask = rng.integers(0, len(CLASSES), SIZE, np.uint8)
        mask[:6, :6] = 255 if void else 0
        Image.fromarray(pixels).save(folder / 'img' / f'{index:03}.png')
        Image.fromarray(mask).save(folder / 'ann' / f'{index:03}.png')
    return folder


def write_lists(folder, labelled, unlabelled):
    """`labelled.txt` and `unlabelled.txt` with the numbers of pictures."""
    for name, numbers in (('labelled', labelled), ('unlabelled', unlabelled)):
        text = ''.join(f'{number:03}\n' for number in numbers)
        (folder / f'{name}.txt').write_text(text)


def config(folder, masks=True, **options):
    """The config of the data set in `folder` with those lists."""
    init_default_scope('mmseg')
    own = {
        'type': 'BaseSegDataset',
        'data_root': str(folder),
        'data_prefix': {'img_path': 'img', 'seg_map_path': 'ann'},
        'img_suffix': '.png',
        'metainfo': {'classes': CLASSES},
        'serialize_data': False,  # collects garbage: half a second a data set
    }
    bare = {**own, 'data_prefix': {'img_path': 'img'}}
    return {
        'type': 'SemiSupervisedDataset',
        'labelled': {**own, 'ann_file': 'labelled.txt', 'pipeline': LABELLED},
        'unlabelled': {
            **(own if masks else bare),
            'ann_file': 'unlabelled.txt',
            'pipeline': UNLABELLED,
        },
        **options,
    }


def build(folder, **options):
    """The data set of `config`."""
    given = config(folder, **options)
    del given['type']
    return SemiSupervisedDataset(**given)


def plain(folder):
    """All pictures of `folder` with their masks."""
    init_default_scope('mmseg')
    return BaseSegDataset(
        data_root=str(folder),
        data_prefix={'img_path': 'img', 'seg_map_path': 'ann'},
        img_suffix='.png',
        metainfo={'classes': CLASSES},
        serialize_data=False,
    )


def loader(folder, **options):
    """The config of a data loader: 4 pictures of each kind a batch."""
    return {
        'batch_size': 8,
        'num_workers': 0,
        'sampler': {'type': 'SemiSupervisedSampler'},
        'collate_fn': {'type': 'branch_collate'},
        'dataset': config(folder),
        **options,
    }


def half_labelled(folder):
    """Eight images, of which the first three have a label; the folder."""
    folder = write_pictures(folder, 8)
    write_lists(folder, [0, 1, 2], [3, 4, 5, 6, 7])
    return folder
