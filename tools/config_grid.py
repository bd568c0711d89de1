"""Write the paper's grid: its leaves, a README and a metafile for each folder, docs.

`python tools/config_grid.py` after a change of the grid below or of its tables;
`--check` writes nothing and lists what is out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent
TABLES, PAPER = (
    yaml.safe_load((ROOT / path).read_text('utf-8'))
    for path in ('tools/grid_tables.yml', 'mmseg_jml/benchmark/paper.yml')
)
METRICS = ('Acc', 'mIoU', 'ECE', 'BECE')
# A folder's table of the paper, and what table 8, of the losses' variants, calls it.
PUBLISHED = {
    'cityscapes': ('table1', 'Cityscapes'),
    'voc12aug': ('table2', 'VOC'),
    'deepglobe': ('table3', ''),
}
VARIANTS = {'sjl-bls': 'SJL/BLS', 'jml2-bls': 'JML2/BLS'}
DOC, START, END = 'docs/configs.md', '<!-- grid -->\n', '<!-- end of grid -->'


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


TAUGHT = """    type='DistillationEncoderDecoder',
    teacher={{_base_.teacher}},
    teacher_checkpoint={{_base_.teacher_checkpoint}},
    distill_losses={{_base_.distill_main}},
    auxiliary_distill_losses={{_base_.distill_aux}},
"""
LEARNT = """    type='SemiEncoderDecoder',
    unlabelled={{_base_.unlabelled}},
    pseudo_label={{_base_.pseudo_label}},
"""


def config(leaf: Leaf) -> str:
    """The text of a leaf."""
    auxiliary = MODELS[leaf.model].auxiliary
    baseline = leaf.recipe.startswith('mmseg_')

    def head(name: str, loss: str) -> str:
        classes = DATA[leaf.folder].num_classes
        loss = f'{{{{_base_.{loss}}}}}'
        return f'    {name}=dict(num_classes={classes}, loss_decode={loss}),\n'

    more, options, preprocessor, loss = '', '', '', leaf.loss
    if leaf.tree == 'distillation':
        more, options = f"    '../../_base_/teachers/{leaf.folder}.py',\n", TAUGHT
    elif loss in UNLABELLED:
        more, options = f"    '../../_base_/semi/{loss}.py',\n", LEARNT
        preprocessor, loss = "type='SemiSegDataPreprocessor', ", loss.split('-')[1]
    text = f"""_base_ = [
    '../../_base_/models/{leaf.model}.py',
    '../../_base_/recipes/{leaf.recipe}.py',
    '../../_base_/losses/{loss}.py',
{more}]
model = dict(
{options}    data_preprocessor=dict({preprocessor}size={{{{_base_.crop_size}}}}),
"""
    if baseline:
        text += head('decode_head', 'loss_decode')
        text += head('auxiliary_head', 'baseline_aux')
    elif auxiliary:
        text += head('decode_head', 'loss_main') + head('auxiliary_head', 'loss_aux')
    else:
        text += head('decode_head', 'loss_decode')
    if not baseline:
        text += '    test_cfg={{_base_.test_window}},\n'
    return f'{text})\n{pictures(leaf)}'


def pictures(leaf: Leaf) -> str:
    """What a semi-supervised leaf reads, where it is not as its base says."""
    folder = f'splits/{leaf.labels.replace("of", "_")}'
    if leaf.labels and leaf.loss not in UNLABELLED:
        text = f"    dataset=dict(ann_file='{folder}/labelled.txt'),\n"
        return f'train_dataloader = dict(\n{text})\n'
    text = '        strong_views=2,\n' if leaf.loss.startswith('unimatch') else ''
    if leaf.labels not in ('', '1of8'):
        for kind in ('labelled', 'unlabelled'):
            text += f"        {kind}=dict(ann_file='{folder}/{kind}.txt'),\n"
    text = f'    dataset=dict(\n{text}    ),\n' if text else ''
    return f'train_dataloader = dict(\n{text})\n' if text else ''


def figures(leaf: Leaf) -> tuple[list[str], list[str]]:
    """The paper's figures and the measured ones, a cell for each metric."""
    measured = TABLES['measured'].get(leaf.name, {})
    return (
        [published(leaf).get(metric, '-') for metric in METRICS],
        [measured.get(metric, 'not run') for metric in METRICS],
    )


def published(leaf: Leaf) -> dict[str, str]:
    """The paper's figures by metric, empty where it has none."""
    if leaf.folder not in PUBLISHED or leaf.schedule == 'mmseg40k':
        return {}
    table, part = PUBLISHED[leaf.folder]
    number = MODELS[leaf.model].paper
    row = f'{number}/{leaf.loss.upper()}'
    if number == 'M2' and leaf.loss in VARIANTS:
        table, row = 'table8', f'{part}/{VARIANTS[leaf.loss]}'
    found = PAPER['tables'][table]
    cells = [str(cell).replace('±', ' ± ') for cell in found['rows'].get(row, [])]
    return dict(zip(found['columns'], cells, strict=False))


def readme(leaves: list[Leaf]) -> str:
    """The README of a folder: what was published beside what was measured."""
    tree, folder = leaves[0].tree, leaves[0].folder
    data, (title, what) = DATA[folder], TABLES['trees'][tree]
    both = [*METRICS, *(f'{metric}, measured' for metric in METRICS)]
    head = ['model', 'config', *(METRICS if tree == 'semi' else both)]
    rows = []
    for leaf in leaves:
        model = MODELS[leaf.model]
        number = model.paper if folder in PUBLISHED else ''
        label = f'{number} {model.method}, {model.encoder}'.strip()
        run = ', '.join(filter(None, (leaf.loss, leaf.schedule, leaf.labels)))
        paper, measured = figures(leaf)
        found = measured if tree == 'semi' else [*paper, *measured]
        rows.append([label, f'[{run}]({leaf.name}.py)', *found])
    return f"""<!-- written by tools/config_grid.py -->
# {data.title}{title}

{data.note}

{what}
{_table(head, rows)}
```bash
python tools/train.py {leaves[0].path}
```
"""


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def metafile(leaves: list[Leaf]) -> str:
    """What MIM reads: one entry for each config."""
    collection = {
        'Name': 'JML',
        'Paper': {
            'Title': 'Jaccard Metric Losses: Optimizing the Jaccard Index with Soft '
            'Labels',
            'URL': 'https://arxiv.org/abs/2302.05666',
        },
        'README': f'{Path(leaves[0].path).parent}/README.md',
    }
    return '# written by tools/config_grid.py\n' + yaml.safe_dump(
        {'Collections': [collection], 'Models': [_entry(leaf) for leaf in leaves]},
        sort_keys=False,
        allow_unicode=True,
        width=88,
    )


def _entry(leaf: Leaf) -> dict:
    model, title = MODELS[leaf.model], DATA[leaf.folder].title
    paper, measured = (
        {k: v for k, v in zip(METRICS, cells, strict=True) if v not in ('-', 'not run')}
        for cells in figures(leaf)
    )
    entry = {
        'Name': leaf.name,
        'In Collection': 'JML',
        'Config': leaf.path,
        'Metadata': {
            'Training Data': title,
            'Batch Size': leaf.batch,
            'Iterations': int(leaf.schedule.removeprefix('mmseg').replace('k', '000')),
            'Architecture': [model.encoder, model.method],
            'Loss': leaf.loss,
        },
    }
    if paper:
        entry['Figures of the paper'] = paper
    if measured:
        task = 'Semantic Segmentation'
        entry['Results'] = [{'Task': task, 'Dataset': title, 'Metrics': measured}]
    return entry


def overview(leaves: list[Leaf]) -> str:
    """The grid as the docs show it: a row for each model of a folder."""
    losses: dict[str, list[str]] = {}
    for leaf in leaves:
        pattern = leaf._replace(loss='LOSS').name
        path = f'`{leaf.tree}/{leaf.folder}/{pattern}.py`'
        losses.setdefault(path, []).append(leaf.loss)
    rows = [[pattern, ', '.join(found)] for pattern, found in losses.items()]
    return _table(['config', 'LOSS'], rows)


def folders(leaves: list[Leaf]) -> list[str]:
    """Every folder of the grid, as a path in the checkout."""
    return list(dict.fromkeys(str(Path(leaf.path).parent) for leaf in leaves))


def outputs() -> dict[str, str]:
    """The text of every file of the grid, by its path in the checkout."""
    leaves = list(grid())
    texts = {leaf.path: config(leaf) for leaf in leaves}
    for folder in folders(leaves):
        own = [leaf for leaf in leaves if str(Path(leaf.path).parent) == folder]
        texts[f'{folder}/README.md'] = readme(own)
        texts[f'{folder}/metafile.yml'] = metafile(own)
    before, rest = (ROOT / DOC).read_text('utf-8').split(START)
    after = rest.split(END)[1]
    texts[DOC] = f'{before}{START}\n{overview(leaves)}\n{END}{after}'
    return texts


def stale() -> list[str]:
    """What `main` would change, and the files of its folders that are not its own."""
    texts = outputs()
    changed = [
        path
        for path, text in texts.items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text('utf-8') != text
    ]
    own = (ROOT / folder for folder in folders(list(grid())))
    found = (path for folder in own for path in folder.glob('*.*'))
    paths = (path.relative_to(ROOT).as_posix() for path in found)
    return changed + [path for path in paths if path not in texts]


def main() -> None:
    """Write the files, or say which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--check', action='store_true', help='write nothing')
    if parser.parse_args().check:
        sys.exit('\n'.join(stale()) or None)
    for path, text in outputs().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, 'utf-8')


if __name__ == '__main__':
    main()
