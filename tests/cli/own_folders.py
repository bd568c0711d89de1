"""Made-up folders of images and masks, and the configs that new-config writes."""

import numpy as np
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_jml.cli.new_config import new_config

SIZE = (12, 16)
rng = np.random.default_rng(0)


def image(size=SIZE):
    return rng.integers(0, 256, (*size, 3)).astype(np.uint8)


def mask(*values, size=SIZE, dtype=np.uint8):
    """Rows of each value in turn."""
    return np.resize(np.array(values, dtype), size[::-1]).T.copy()


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(path)


def fill(root, names, masks, *, image_end='.png', mask_end='.png'):
    """Images and masks of some names; `masks` are taken in turn."""
    for index, name in enumerate(names):
        save(root / 'images' / f'{name}{image_end}', image())
        save(root / 'masks' / f'{name}{mask_end}', masks[index % len(masks)])


def run(root, *options, images='images', masks='masks'):
    """The config that is written, or the sentence that refuses."""
    out = root / 'my.py'
    assert new_config(
        [*map(str, (root / images, root / masks, '--out', out, *options))]
    ) == 0  # fmt: skip
    return Config.fromfile(out)


def label(cfg, split='train', index=0, part=None):
    """The label that training sees."""
    config = cfg[f'{split}_dataloader'].dataset
    config = config if part is None else config.datasets[part]
    steps = [dict(type='LoadAnnotations')]
    dataset = DATASETS.build({**config, 'pipeline': steps, 'serialize_data': False})
    return dataset[index]['gt_seg_map']


def names_of(root, part):
    return (root / 'my_data' / f'{part}.txt').read_text().split()


FOUR = ['a', 'b', 'c', 'd']
RED, BLACK = [255, 0, 0], [0, 0, 0]
COLOURED = np.array([BLACK, RED], np.uint8)[mask(0, 1)]
PAINTED = Image.fromarray(mask(0, 1, 2))
PAINTED.putpalette([9, 9, 9, 200, 0, 0, 0, 0, 200])
