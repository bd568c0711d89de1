"""The README and the metafile of each folder of the grid, and the table of the docs."""

from __future__ import annotations

from pathlib import Path

import yaml

from .leaves import DATA, MODELS, PAPER, TABLES, Leaf

METRICS = ('Acc', 'mIoU', 'ECE', 'BECE')
# A folder's table of the paper, and what table 8, of the losses' variants, calls it.
PUBLISHED = {
    'cityscapes': ('table1', 'Cityscapes'),
    'voc12aug': ('table2', 'VOC'),
    'deepglobe': ('table3', ''),
}
VARIANTS = {'sjl-bls': 'SJL/BLS', 'jml2-bls': 'JML2/BLS'}


def measured(leaf: Leaf) -> dict[str, str]:
    """What runs of this project measured, by metric; empty without a run."""
    return TABLES['measured'].get(leaf.name, {})


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
    """The README of a folder: its configs, and the figures that there are of them."""
    tree, folder = leaves[0].tree, leaves[0].folder
    data, (title, *notes) = DATA[folder], TABLES['trees'][tree]
    head, rows = ['model', 'config'], [[_model(leaf), _link(leaf)] for leaf in leaves]
    for kind, figures in (('published', published), ('measured', measured)):
        found = [figures(leaf) for leaf in leaves]
        if any(found):  # a column that nobody has filled says nothing
            notes.append(TABLES['figures'][kind])
            head += [f'{metric}, {kind}' for metric in METRICS]
            for row, each in zip(rows, found, strict=True):
                row += [each.get(metric, '-') for metric in METRICS]
    return f"""<!-- written by tools/config_grid.py -->
# {data.title}{title}

{data.note}

{_paragraphs(notes)}

{_table(head, rows)}
```bash
python -m mmseg_jml train {leaves[0].path}
```
"""


def _model(leaf: Leaf) -> str:
    model = MODELS[leaf.model]
    number = model.paper if leaf.folder in PUBLISHED else ''
    return f'{number} {model.method}, {model.encoder}'.strip()


def _link(leaf: Leaf) -> str:
    run = ', '.join(filter(None, (leaf.loss, leaf.schedule, leaf.labels)))
    return f'[{run}]({leaf.name}.py)'


def _paragraphs(notes: list[str]) -> str:
    return '\n\n'.join(note.strip() for note in notes)


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
    paper = {name: cell for name, cell in published(leaf).items() if cell != '-'}
    if paper:
        entry['Figures of the paper'] = paper
    if measured(leaf):
        task = 'Semantic Segmentation'
        results = {'Task': task, 'Dataset': title, 'Metrics': measured(leaf)}
        entry['Results'] = [results]
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
