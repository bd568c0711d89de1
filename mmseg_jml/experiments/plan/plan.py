"""Plans of the trainings to compare, which are read from YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from .paper import read_table
from .schema import (
    UniqueKeys,
    flatten,
    mapping_of,
    numbers_of,
    require,
    require_one_of,
)

NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._+-]*')
A_NAME = 'a name of letters, digits and `._+-` that begins with a letter or digit'
TAKEN = ('jobs', 'report')  # other folders in the work dir
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
    """One training of the comparison, which is repeated with several seeds or folds.

    Args:
        name: the name of the cell and of its folder.
        title: the name that is shown in tables.
        config: a config file, or a shipped config.
        overrides: settings of the config by dotted keys, as for `--cfg-options`.
        teacher: the cell whose checkpoint this one learns from or starts with.
        starts: whether this cell starts with that checkpoint.
        swept: the name of the swept option and its value here; empty without a sweep.
        paper: the row of the paper's table that this cell corresponds to.
        loss: a file of `_base_/losses` that replaces the losses of the config.
        teacher_seed: the seed of the teacher for all seeds of this cell; None takes the
            teacher with the same seed.
        seeds: the seeds of this cell; None uses those of the plan.
        baseline: the cell to compare this one with; None uses that of the plan.
        max_iters: the number of training iterations, to which the schedule is scaled;
            None trains for as long as the config says.
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
    """The name of the swept option and its values."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Plan:
    """Cells to train and test, each once for each seed and fold.

    Args:
        name: the name of the plan; its default work dir is `work_dirs/<name>`.
        cells: the cells, in the order that tables show them in.
        baseline: the cell that the others are compared with.
        seeds, folds: the seeds and folds. Without folds there is at least one seed.
            With folds and no seeds, each fold is trained once, with the config's seed.
        sweep: the swept option, if there is one.
        paper: the table of the paper to compare with, for example 'table1'.
        description: the text at the beginning of the report.
        data_root: a folder that replaces the `data_root` of the configs.
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
        """The cell with this name."""
        return next(cell for cell in self.cells if cell.name == name)

    def seeds_of(self, cell: Cell) -> tuple[int | None, ...]:
        """The seeds of a cell; (None,) stands for the seed of the config."""
        return (self.seeds if cell.seeds is None else cell.seeds) or (None,)


def read_plan(path: str | Path) -> Plan:
    """Read and check a plan.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the plan has an error; the message names the file and the key.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no plan {str(path)!r}')
    try:
        found = yaml.load(path.read_text('utf-8'), UniqueKeys)
        return make_plan({'name': path.stem} | mapping_of(found, OF_PLAN))
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
    require(bool(NAME.fullmatch(found['name'])), 'name', A_NAME, found['name'])
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
        require(
            isinstance(name, str),
            'cells',
            'a mapping whose keys are strings (put numbers in quotes)',
            name,
        )
        require(bool(NAME.fullmatch(name)), where, A_NAME, name)
        cell = mapping_of(
            {'config': each} if isinstance(each, str) else each, OF_CELL, where
        )
        require(
            'config' in cell,
            where,
            'a config, or a mapping with the key `config`',
            each,
        )
        both = 'teacher' in cell and 'start' in cell
        require(not both, where, 'given either `teacher` or `start`, not both', each)
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
    """One cell for each combination of a base and a loss."""
    if 'base' not in found and 'losses' not in found:
        return
    require(
        'base' in found and found.get('losses'),
        'losses',
        'given together with `base`',
        None,
    )
    bases = found['base']
    bases = {'': bases} if isinstance(bases, str) else bases
    for base, config in bases.items():
        require(isinstance(config, str), f'base.{base}', 'the path of a config', config)
        for loss in found['losses']:
            require(
                isinstance(loss, str), 'losses', 'a list of loss names or files', loss
            )
            name = f'{base}-{Path(loss).stem}'.removeprefix('-')
            require(bool(NAME.fullmatch(name)), 'losses', A_NAME, name)
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
    require(
        number is None or number > 0, where, 'a whole number that is at least 1', number
    )
    return number


def _sweep(sweep: Mapping[str, Any], cells: Sequence[Cell]) -> tuple[Sweep, list[Cell]]:
    """Replace each swept cell with one cell for each value."""
    for key in ('name', 'options', 'values'):
        require(bool(sweep.get(key)), f'sweep.{key}', 'given', sweep.get(key))
    known = [cell.name for cell in cells]
    swept = sweep.get('cells', known)
    for name in swept:
        require_one_of(name, known, 'sweep.cells')
    made: list[Cell] = []
    for cell in cells:
        if cell.name in swept:
            made += [_swept(cell, sweep, value) for value in sweep['values']]
        else:
            made.append(cell)
    return Sweep(name=sweep['name'], values=tuple(sweep['values'])), made


def _swept(cell: Cell, sweep: Mapping[str, Any], value: Any) -> Cell:
    name = f'{cell.name}_{sweep["name"]}-{value}'
    require(bool(NAME.fullmatch(name)), 'sweep', A_NAME, name)
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
    require(bool(names), 'cells', 'a mapping with at least one cell', names)
    double = sorted({name for name in names if names.count(name) > 1})
    require(not double, 'cells', 'cells with different names', double)
    titles = [cell.title for cell in plan.cells]
    double = sorted({title for title in titles if titles.count(title) > 1})
    require(not double, 'cells', 'cells with different titles', double)
    taken = [name for name in names if name in TAKEN]
    allowed = f'cells with names other than {TAKEN}, which are taken'
    require(not taken, 'cells', allowed, taken)
    if plan.paper is not None:
        read_table(plan.paper)
    if plan.baseline is not None:
        require_one_of(plan.baseline, names, 'baseline')
    for cell in plan.cells:
        if cell.baseline is not None:
            require_one_of(cell.baseline, names, f'cells.{cell.name}.baseline')
        if cell.teacher is None:
            require(
                cell.teacher_seed is None,
                f'cells.{cell.name}.teacher_seed',
                'given only together with `teacher` or `start`',
                cell.teacher_seed,
            )
        else:
            _check_teacher(plan, cell, names)


def _check_teacher(plan: Plan, cell: Cell, names: Sequence[str]) -> None:
    where = f'cells.{cell.name}.{"start" if cell.starts else "teacher"}'
    above, line = cell, [cell.name]
    while above.teacher is not None:
        require_one_of(above.teacher, names, where)
        require(
            above.teacher not in line,
            where,
            'a cell that does not depend on this one',
            ' -> '.join([*line, above.teacher]),
        )
        above = plan.cell(above.teacher)
        line.append(above.name)
    taught = plan.seeds_of(plan.cell(line[1]))
    if cell.teacher_seed is not None:
        require(
            cell.teacher_seed in taught,
            f'cells.{cell.name}.teacher_seed',
            f"one of the teacher's seeds {taught}",
            cell.teacher_seed,
        )
        return
    for seed in plan.seeds_of(cell):
        require(
            seed in taught,
            where,
            f'a cell with every seed of its students (it has the seeds {taught}; '
            '`teacher_seed` can choose one of them for all students)',
            f'no seed {seed}',
        )
