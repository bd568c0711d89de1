"""Which configs there are: every model, dataset and loss of the paper's grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
TABLES, PAPER = (
    yaml.safe_load((ROOT / path).read_text('utf-8'))
    for path in ('tools/grid/tables.yml', 'mmseg_jml/experiments/plan/paper.yml')
)


class Model(NamedTuple):
    """A file of `_base_/models`, and what people call it."""

    method: str
    encoder: str
    paper: str = ''  # its number in the paper
    auxiliary: bool = True


class Data(NamedTuple):
    """A folder of `configs/jml`."""

    title: str
    num_classes: int
    crop: str
    note: str


class Leaf(NamedTuple):
    """One config."""

    folder: str
    model: str
    loss: str
    schedule: str
    recipe: str
    batch: int = 8
    labels: str = ''  # how many are used, as 1of8; all without it

    @property
    def tree(self) -> str:
        """The folder of `configs` that it belongs to."""
        if self.labels:
            return 'semi'
        return 'distillation' if self.loss in DISTILLED else 'jml'

    @property
    def path(self) -> str:
        """Where it stands in the checkout."""
        return f'configs/{self.tree}/{self.folder}/{self.name}.py'

    @property
    def name(self) -> str:
        """The name of the file, in MMSegmentation's scheme."""
        run = f'1xb{self.batch}-{self.loss}-{self.schedule}'
        data = '-'.join(filter(None, (self.folder, self.labels)))
        return f'{self.model}_{run}_{data}-{DATA[self.folder].crop}'


MODELS = {name: Model(*fields) for name, fields in TABLES['models'].items()}
DATA = {name: Data(*fields) for name, fields in TABLES['data'].items()}
LOSSES = ('ce', 'ce-bls', 'jml', 'jml-bls')
KD = ('ce-kd', 'jml-kd')
LOGITS = ('kl', 'cwd', 'dist')  # what the paper's table 4 compares with, and Hinton's
DISTILLED = (*KD, *LOGITS)
UNLABELLED = ('fixmatch-ce', 'fixmatch-jml', 'unimatch-jml')
COMPARED = (
    'sjl-bls',
    'jml2-bls',
    'lovasz',
    'dice',
    'mmseg-dice',
    'tversky',
    'focal',
)


def grid() -> Iterator[Leaf]:
    """Every config, folder by folder."""
    for folder, batch in (('cityscapes', 8), ('voc12aug', 16)):
        for model in list(MODELS)[:5]:
            more = COMPARED if model == 'deeplabv3_r18-d8' else ()
            for loss in (*LOSSES, *more):
                yield Leaf(folder, model, loss, '40k', folder)
        for loss in ('mmseg-ce', 'jml', 'jml-bls'):
            yield Leaf(
                folder, 'deeplabv3_r18-d8', loss, 'mmseg40k', f'mmseg_{folder}', batch
            )
    for model in list(MODELS)[2:5]:
        for loss in DISTILLED:
            yield Leaf('cityscapes', model, loss, '40k', 'cityscapes')
        for loss in KD:
            yield Leaf('voc12aug', model, loss, '40k', 'voc12aug')
    for model in ('unet_r18', 'unet_m-v2'):
        for loss in KD:
            yield Leaf('deepglobe', model, loss, '10k', 'deepglobe')
    yield Leaf('voc12aug', 'deeplabv3_timm-r18d-d8', 'jml-bls', '40k', 'voc12aug')
    for model in ('unet_r50', 'unet_r18', 'unet_m-v2'):
        for loss in LOSSES:
            yield Leaf('deepglobe', model, loss, '10k', 'deepglobe')
    for loss in ('ce', 'jml-bls'):
        for model in ('deeplabv3_r50-d8', 'deeplabv3plus_r101-d8', 'upernet_r50'):
            yield Leaf('ade20k', model, loss, '160k', 'ade20k')
        yield Leaf('ade20k', 'segformer_mit-b2', loss, '160k', 'ade20k_adamw')
    yield Leaf(
        'ade20k', 'upernet_mmpretrain-convnext-t', 'jml-bls', '160k', 'ade20k_adamw'
    )
    model = 'deeplabv3plus_r50-d8'
    cityscapes = [('cityscapes', '40k', f'1of{n}') for n in (16, 8, 4, 2)]
    others = [('voc12aug', '40k', '1of8'), ('ade20k', '160k', '1of8')]
    for folder, run, labels in (*cityscapes, *others):
        for loss in ('ce', 'jml'):
            yield Leaf(folder, model, loss, run, folder, labels=labels)
        for loss in UNLABELLED:
            yield Leaf(folder, model, loss, run, f'semi_{folder}', 16, labels)
