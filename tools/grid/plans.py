"""The plans of those tables of the paper that compare every model with every loss."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import yaml

from .leaves import DATA, KD, LOSSES, MODELS, TABLES, Leaf

SMOOTHED = 'JML-BLS'
STUDENT = 'deeplabv3_r18-d8'
TEACHER = 'deeplabv3_r50-d8'
MODES = ('all', 'present', 'label', 'prob', 'both')
# What the paper's table 4 calls the students, and table 8 the variants.
TABLE4 = {
    'deeplabv3_r18-d8': 'DL3-R18',
    'deeplabv3_m-v2-d8': 'DL3-MB2',
    'pspnet_r18-d8': 'PSP-R18',
}
VARIANTS = {
    'sjl': ('sjl_l1', 'sjl-bls'),
    'jml1': ('jml1', 'jml-bls'),
    'jml2': ('jml2', 'jml2-bls'),
}
LABEL_TERM = 'model.decode_head.loss_decode.losses.1'
TEACHER_TERM = 'model.distill_losses.1'

Cells = dict[str, dict[str, Any]]


def plans() -> dict[str, str]:
    """The text of every generated plan, by its path in the checkout."""
    cells = {
        'table1': every_loss('cityscapes'),
        'table2': every_loss('voc12aug'),
        'table3': every_loss('deepglobe'),
        'table4_cityscapes': distilled('cityscapes', ('cwd', 'dist', 'jml-kd')),
        'table4_voc': distilled('voc12aug', ('cwd', 'jml-kd')),
        'table7': active_classes(),
        'table8_cityscapes': variants('cityscapes'),
        'table8_voc': variants('voc12aug'),
    }
    return {
        f'benchmarks/plans/{name}.yml': _text(name, dict(found))
        for name, found in cells.items()
    }


def _text(name: str, cells: Cells) -> str:
    body = {
        'paper': name.split('_')[0],
        **TABLES['plans'][name],
        'cells': cells,
    }
    return '# written by tools/config_grid.py\n' + yaml.safe_dump(
        body, sort_keys=False, allow_unicode=True, width=88
    )


def every_loss(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tables 1 to 3: every model with every loss; students also with a teacher."""
    land = folder == 'deepglobe'
    models = list(MODELS)[5:8] if land else list(MODELS)[:5]
    teacher = 'm5-jml-bls' if land else 'm1-jml-bls'
    own_fold = {'teacher': teacher} if land else {'teacher': teacher, 'teacher_seed': 0}
    for model in models:
        student = model not in models[: 1 if land else 2]
        for loss in sorted({*LOSSES, *(KD if student else ())}):
            number = MODELS[model].paper
            yield (
                f'{number.lower()}-{loss}',
                {
                    **_cell(_leaf(folder, model, loss), _title(model, loss)),
                    **(own_fold if loss in KD else {}),
                    'paper': f'{number}/{loss.upper()}',
                },
            )


def distilled(
    folder: str, methods: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Table 4: students that learn from one teacher by several methods."""
    yield _teacher(folder)
    part, models = 'VOC', (STUDENT, 'pspnet_r18-d8')
    if folder == 'cityscapes':
        part, models = 'Cityscapes', tuple(TABLE4)
    for model, method in product(models, methods):
        number = MODELS[model].paper.lower()
        cell = _student(folder, model, _title(model, method))
        if folder == 'cityscapes':
            cell['config'] = _leaf(folder, model, method).path
            # The paper's students have this batch there.
            cell['overrides'] = {'train_dataloader.batch_size': 16}
        elif method != 'jml-kd':
            cell['loss'] = method
        if (model, method) == ('deeplabv3_m-v2-d8', 'dist'):
            cell['baseline'] = f'{number}-cwd'
        else:
            cell['paper'] = f'{part}/{TABLE4[model]}/{method.upper()}'
        yield f'{number}-{method}', cell


def active_classes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Table 7: every mode of active classes, on smoothed labels and with a teacher."""
    folder = 'voc12aug'
    yield _teacher(folder)
    for mode in MODES:
        cell = _cell(_leaf(folder, STUDENT, 'jml-bls'), f'{SMOOTHED}, {mode}')
        options = {f'{LABEL_TERM}.active_classes': mode}
        row = f'{SMOOTHED}/{mode}'
        yield f'jml-bls-{mode}', {**cell, 'paper': row, 'overrides': options}
    for mode in MODES:
        cell = _student(folder, STUDENT, f'JML-KD, {mode}')
        options = _both_terms('active_classes', mode)
        row = f'JML-KD/{mode}'
        yield f'jml-kd-{mode}', {**cell, 'paper': row, 'overrides': options}


def variants(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Table 8: the variants of the loss on hard, smoothed and taught labels."""
    part = 'VOC' if folder == 'voc12aug' else 'Cityscapes'
    yield _teacher(folder)
    hard = _cell(_leaf(folder, STUDENT, 'jml'), 'JML1, hard labels')
    yield 'jml1-hard', {**hard, 'paper': f'{part}/JML1/hard'}
    for name, (variant, loss) in VARIANTS.items():
        row = f'{part}/{name.upper()}'
        smoothed = _cell(_leaf(folder, STUDENT, loss), f'{name.upper()}, BLS')
        yield f'{name}-bls', {**smoothed, 'paper': f'{row}/BLS'}
        taught = _student(folder, STUDENT, f'{name.upper()}, KD')
        options = _both_terms('variant', variant)
        yield f'{name}-kd', {**taught, 'paper': f'{row}/KD', 'overrides': options}


def _both_terms(option: str, value: str) -> dict[str, str]:
    """An option of JML to the label and of JML to the teacher."""
    return {f'{term}.{option}': value for term in (LABEL_TERM, TEACHER_TERM)}


def _teacher(folder: str) -> tuple[str, dict[str, Any]]:
    cell = _cell(_leaf(folder, TEACHER, 'jml-bls'), f'teacher, R-50, {SMOOTHED}')
    return 'teacher', {**cell, 'seeds': [0]}


def _student(folder: str, model: str, title: str) -> dict[str, Any]:
    cell = _cell(_leaf(folder, model, 'jml-kd'), title)
    return {**cell, 'teacher': 'teacher', 'teacher_seed': 0}


def _cell(leaf: Leaf, title: str) -> dict[str, Any]:
    return {'title': title, 'config': leaf.path}


def _title(model: str, loss: str) -> str:
    return f'{MODELS[model].method}, {MODELS[model].encoder}, {loss.upper()}'


def _leaf(folder: str, model: str, loss: str) -> Leaf:
    schedule = '10k' if DATA[folder].title == 'DeepGlobe Land' else '40k'
    return Leaf(folder, model, loss, schedule, folder)
