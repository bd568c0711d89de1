"""Plans: which trainings to compare, read from YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from .paper import read_table
from .schema import UniqueKeys, flatten, mapping_of, numbers_of, require

NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._+-]*')
TAKEN = ('jobs', 'report')  # folders of the work dir
OF_PLAN = {
    'name': str,
    'description': str,
    'baseline': str,
    'paper': str,
    'seeds': list,
    'folds': list,
    'data_root': str,
    'max_iters': int,
    'overrides': dict,
    'cells': dict,
    'base': (str, dict),
    'losses': list,
    'sweep': dict,
}
OF_CELL = {
    'config': str,
    'loss': str,
    'title': str,
    'max_iters': int,
    'overrides': dict,
    'teacher': str,
    'teacher_seed': int,
    'start': str,
    'baseline': str,
    'seeds': list,
    'paper': str,
}
OF_SWEEP = {'name': str, 'options': list, 'values': list, 'cells': list}


@dataclass(frozen=True)
class Cell:
    """One training of the comparison, to be repeated over seeds or folds.

    Args:
        name: its folder's.
        title: what tables call it.
        config: a file, or a path in the shipped tree.
        overrides: settings of the config by dotted keys, as `--cfg-options` takes them.
        teacher: the cell whose checkpoint it learns from, or starts with.
        starts: whether it starts with that checkpoint.
        swept: the swept option's name and this cell's value, empty if none.
        paper: its row in the paper's table.
        loss: a fragment of `_base_/losses` in place of the config's losses.
        teacher_seed: the one seed of the teacher for all seeds; None is the same seed.
        seeds: None is the plan's.
        baseline: the cell that it is compared with; None leaves it to the plan.
        max_iters: for how long to train, with a schedule in proportion; None is as long
            as the config says.
    """

    name: str
    title: str
    config: str
    overrides: dict[str, Any] = field(default_factory=dict)
    teacher: str | None = None
    swept: dict[str, Any] = field(default_factory=dict)
    paper: str | None = None
    loss: str | None = None
    teacher_seed: int | None = None
    starts: bool = False
    baseline: str | None = None
    seeds: tuple[int, ...] | None = None
    max_iters: int | None = None


@dataclass(frozen=True)
class Sweep:
    """What was swept: the name of the axis and its values."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Plan:
    """Cells to train and test, each once for each seed and fold.

    Args:
        name: the default folder is `work_dirs/<name>`.
        cells: in the order of the tables.
        baseline: the cell that differences are taken to.
        seeds, folds: without folds there is at least one seed; with folds and no seeds
            each fold trains once, with the config's seed.
        sweep: what was swept, if anything.
        paper: the paper's table to stand beside, as 'table1'.
        description: for the head of the report.
        data_root: in place of the configs'.
    """

    name: str
    cells: tuple[Cell, ...]
    baseline: str | None = None
    seeds: tuple[int, ...] = ()
    folds: tuple[int, ...] = ()
    sweep: Sweep | None = None
    paper: str | None = None
    description: str = ''
    data_root: str | None = None

    def cell(self, name: str) -> Cell:
        """The cell of this name."""
        return next(cell for cell in self.cells if cell.name == name)

    def seeds_of(self, cell: Cell) -> tuple[int | None, ...]:
        """The seeds of a cell; (None,) is the config's own."""
        return (self.seeds if cell.seeds is None else cell.seeds) or (None,)


def read_plan(path: str | Path) -> Plan:
    """Read and check a plan.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: something in it is wrong; the message names file and key.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no plan {str(path)!r}')
    try:
        found = yaml.load(path.read_text('utf-8'), UniqueKeys)
        return make_plan({'name': path.stem} | mapping_of(found, OF_PLAN, 'the plan'))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f'{path}: {error}') from error


def make_plan(found: Mapping[str, Any]) -> Plan:
    """The plan that a mapping with the keys of `OF_PLAN` describes.

    >>> plan = make_plan({'name': 'a', 'base': 'mine.py', 'losses': ['ce', 'jml']})
    >>> [(cell.name, cell.config, cell.loss) for cell in plan.cells]
    [('ce', 'mine.py', 'ce'), ('jml', 'mine.py', 'jml')]

    Raises:
        ValueError: as for `read_plan`.
    """
    require(bool(NAME.fullmatch(found['name'])), 'name', 'a name', found['name'])
    seeds = numbers_of(found, 'seeds', () if found.get('folds') else (0,))
    shared = flatten(found.get('overrides', {}), 'overrides')
    cells = [*_listed(found, shared), *_crossed(found, shared)]
    sweep = None
    if 'sweep' in found:
        sweep, cells = _sweep(mapping_of(found['sweep'], OF_SWEEP, 'sweep'), cells)
    plan = Plan(
        name=found['name'],
        baseline=found.get('baseline'),
        cells=tuple(cells),
        seeds=seeds,
        folds=numbers_of(found, 'folds', ()),
        sweep=sweep,
        paper=found.get('paper'),
        description=found.get('description', '').strip(),
        data_root=found.get('data_root'),
    )
    _check(plan)
    return plan


def _listed(found: Mapping[str, Any], shared: dict[str, Any]) -> Iterator[Cell]:
    for name, each in found.get('cells', {}).items():
        where = f'cells.{name}'
        require(isinstance(name, str), 'cells', 'names (quote numbers)', name)
        require(bool(NAME.fullmatch(name)), where, 'a name for a folder', name)
        cell = mapping_of(
            {'config': each} if isinstance(each, str) else each, OF_CELL, where
        )
        require('config' in cell, where, 'a config, or `config: ...` and more', each)
        both = 'teacher' in cell and 'start' in cell
        require(not both, where, 'given a `teacher` or a `start`, not both', each)
        own = flatten(cell.get('overrides', {}), f'{where}.overrides')
        yield Cell(
            name=name,
            title=cell.get('title', name),
            config=cell['config'],
            overrides=shared | own,
            teacher=cell.get('teacher', cell.get('start')),
            starts='start' in cell,
            baseline=cell.get('baseline'),
            paper=cell.get('paper'),
            loss=cell.get('loss'),
            teacher_seed=cell.get('teacher_seed'),
            seeds=numbers_of(cell, 'seeds', None, f'{where}.'),
            max_iters=_length(cell, f'{where}.max_iters', found.get('max_iters')),
        )


def _crossed(found: Mapping[str, Any], shared: dict[str, Any]) -> Iterator[Cell]:
    """A cell for each base and loss."""
    if 'base' not in found and 'losses' not in found:
        return
    require(
        'base' in found and found.get('losses'), 'losses', 'given with `base`', None
    )
    bases = found['base']
    bases = {'': bases} if isinstance(bases, str) else bases
    for base, config in bases.items():
        require(isinstance(config, str), f'base.{base}', 'a config', config)
        for loss in found['losses']:
            require(isinstance(loss, str), 'losses', 'names of fragments', loss)
            name = f'{base}-{Path(loss).stem}'.removeprefix('-')
            require(bool(NAME.fullmatch(name)), 'losses', 'names for folders', name)
            yield Cell(
                name=name,
                title=name,
                config=config,
                loss=loss,
                overrides=dict(shared),
                max_iters=_length(found, 'max_iters', None),
            )


def _length(found: Mapping[str, Any], where: str, default: int | None) -> int | None:
    number = found.get('max_iters', default)
    require(number is None or number > 0, where, 'a whole number from 1', number)
    return number


def _sweep(sweep: Mapping[str, Any], cells: Sequence[Cell]) -> tuple[Sweep, list[Cell]]:
    """Put one cell for each value in the place of each swept cell."""
    for key in ('name', 'options', 'values'):
        require(bool(sweep.get(key)), f'sweep.{key}', 'given', sweep.get(key))
    known = [cell.name for cell in cells]
    swept = sweep.get('cells', known)
    for name in swept:
        require(name in known, 'sweep.cells', f'some of {known}', name)
    made: list[Cell] = []
    for cell in cells:
        if cell.name in swept:
            made += [_swept(cell, sweep, value) for value in sweep['values']]
        else:
            made.append(cell)
    return Sweep(name=sweep['name'], values=tuple(sweep['values'])), made


def _swept(cell: Cell, sweep: Mapping[str, Any], value: Any) -> Cell:
    name = f'{cell.name}_{sweep["name"]}-{value}'
    require(bool(NAME.fullmatch(name)), 'sweep', 'values for names of folders', name)
    options = flatten(dict.fromkeys(sweep['options'], value), 'sweep.values')
    return replace(
        cell,
        name=name,
        title=f'{cell.title}, {sweep["name"]} {value}',
        overrides=cell.overrides | options,
        swept={sweep['name']: value},
    )


def _check(plan: Plan) -> None:
    names = [cell.name for cell in plan.cells]
    require(bool(names), 'cells', 'at least one', names)
    double = sorted({name for name in names if names.count(name) > 1})
    require(not double, 'cells', 'of different names', double)
    titles = [cell.title for cell in plan.cells]
    double = sorted({title for title in titles if titles.count(title) > 1})
    require(not double, 'cells', 'of different titles', double)
    taken = [name for name in names if name in TAKEN]
    require(not taken, 'cells', f'of other names than {TAKEN}', taken)
    if plan.paper is not None:
        read_table(plan.paper)
    if plan.baseline is not None:
        require(plan.baseline in names, 'baseline', f'one of {names}', plan.baseline)
    for cell in plan.cells:
        if cell.baseline is not None:
            where = f'cells.{cell.name}.baseline'
            require(cell.baseline in names, where, f'one of {names}', cell.baseline)
        if cell.teacher is None:
            require(
                cell.teacher_seed is None,
                f'cells.{cell.name}.teacher_seed',
                'beside a `teacher` or `start`',
                cell.teacher_seed,
            )
        else:
            _check_teacher(plan, cell, names)


def _check_teacher(plan: Plan, cell: Cell, names: Sequence[str]) -> None:
    where = f'cells.{cell.name}.{"start" if cell.starts else "teacher"}'
    above, line = cell, [cell.name]
    while above.teacher is not None:
        require(above.teacher in names, where, f'one of {names}', above.teacher)
        require(above.teacher not in line, where, 'another cell', ' -> '.join(line))
        above = plan.cell(above.teacher)
        line.append(above.name)
    taught = plan.seeds_of(plan.cell(line[1]))
    if cell.teacher_seed is not None:
        seed = cell.teacher_seed
        require(
            seed in taught,
            f'cells.{cell.name}.teacher_seed',
            f"a seed of the teacher's {taught}",
            seed,
        )
        return
    for seed in plan.seeds_of(cell):
        require(
            seed in taught,
            where,
            f'trained with each seed of its students, or one of its seeds {taught} '
            'chosen by `teacher_seed`',
            f'no seed {seed}',
        )
