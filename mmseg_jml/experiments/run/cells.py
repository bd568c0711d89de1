"""The runs of a plan: each cell with each of its seeds and folds."""

from __future__ import annotations

import copy
import functools
import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...checkpoints import latest_checkpoint
from ...suggestion import did_you_mean
from ..plan.plan import Cell, Plan
from . import settings
from .state import read_state


@dataclass(frozen=True)
class Run:
    """One training and its test, which have their own folder.

    Args:
        cell: the cell of the plan.
        seed, fold: the seed and the fold; None uses those of the config.
        folder: the `--work-dir` of the run.
        data_root: the data root of the plan.
        teacher: the run that this one learns from or starts with.
    """

    cell: Cell
    seed: int | None
    fold: int | None
    folder: Path
    data_root: str | None = None
    teacher: Run | None = None

    @property
    def name(self) -> str:
        """The name of the run, such as 'jml/seed-0'."""
        return f'{self.cell.name}/{self.folder.name}'


def run_folder(work_dir: Path, cell: str, seed: int | None, fold: int | None) -> Path:
    """The folder of a run.

    >>> run_folder(Path('w'), 'jml', 0, None), run_folder(Path('w'), 'jml', 1, 3)
    (PosixPath('w/jml/seed-0'), PosixPath('w/jml/fold-3_seed-1'))
    """
    parts = [('fold', fold), ('seed', seed)]
    name = '_'.join(f'{kind}-{n}' for kind, n in parts if n is not None)
    return work_dir / cell / (name or 'run')


def runs(plan: Plan, work_dir: Path, only: Collection[str] = ()) -> list[Run]:
    """All runs, with teachers before their students and sorted by seed.

    Args:
        plan: the plan.
        work_dir: the folder that contains the folders of its cells.
        only: the names of cells to run, together with their teachers; empty is all.

    Raises:
        ValueError: the plan has no cell with a name in `only`.
    """
    names = [cell.name for cell in plan.cells]
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise ValueError(
            f'`--only` must be some of {names}, got {unknown[0]!r}'
            f'{did_you_mean(unknown[0], names)}'
        )
    cells = [cell for cell in plan.cells if not only or cell.name in only]
    longest = max(len(plan.seeds_of(cell)) for cell in cells)
    ordered: dict[Path, Run] = {}
    for fold in plan.folds or (None,):
        for i in range(longest):
            for cell in cells:
                for seed in plan.seeds_of(cell)[i : i + 1]:
                    _add(ordered, plan, work_dir, cell, seed, fold)
    return list(ordered.values())


def _add(
    ordered: dict[Path, Run],
    plan: Plan,
    work_dir: Path,
    cell: Cell,
    seed: int | None,
    fold: int | None,
) -> Run:
    """Add a run after that of its teacher, if it was not added before."""
    folder = run_folder(work_dir, cell.name, seed, fold)
    if folder not in ordered:
        teacher = None
        if cell.teacher is not None:
            taught = seed if cell.teacher_seed is None else cell.teacher_seed
            teacher = _add(
                ordered, plan, work_dir, plan.cell(cell.teacher), taught, fold
            )
        ordered[folder] = Run(cell, seed, fold, folder, plan.data_root, teacher)
    return ordered[folder]


@functools.cache
def _config(
    config: str, loss: str | None, fold: int | None, max_iters: int | None
) -> Any:
    return settings.load(config, loss=loss, fold=fold, max_iters=max_iters)


def _of_cell(run: Run) -> Any:
    """The config of a cell with its overrides, which all its seeds share."""
    cell = run.cell
    cfg = copy.deepcopy(_config(cell.config, cell.loss, run.fold, cell.max_iters))
    settings.apply(cfg, run.cell.overrides)
    return cfg


def options(run: Run, cfg: Any) -> dict[str, Any]:
    """All `--cfg-options` of the commands of a run."""
    found = dict(run.cell.overrides)
    if run.data_root is not None:
        found |= settings.data_roots(cfg, run.data_root)
    if run.seed is not None:
        found['randomness.seed'] = run.seed
    if run.teacher is not None:
        starts = run.cell.starts
        key = settings.OPTION_OF_START if starts else settings.OPTION_OF_TEACHER
        found[key] = str(checkpoint(run.teacher))
    return found


def config(run: Run) -> Any:
    """The complete config that a run is trained with.

    Raises:
        FileNotFoundError, ValueError: as for `settings.load` and `settings.apply`, with
            the name of the cell.
    """
    try:
        cfg = _of_cell(run)
        taught = run.teacher is not None and not run.cell.starts
        if taught and 'teacher' not in cfg.model:
            raise ValueError(
                'a cell with a `teacher` needs the config of a student model'
            )
        settings.apply(cfg, options(run, cfg))
    except (OSError, ValueError) as error:
        raise type(error)(f'cell {run.cell.name!r}: {error}') from error
    return cfg


def checkpoint(run: Run) -> Path:
    """The path of the last checkpoint, also before the training has ended."""
    cfg = _of_cell(run)
    found = latest_checkpoint(run.folder) if is_trained(run, cfg) else None
    return found or run.folder / settings.final_checkpoint(cfg)


def differences(run: Run, cfg: Any) -> list[str]:
    """How the config differs from the one that was trained in the folder of the run.

    The paths of the checkpoints of other runs are not compared.
    """
    others = [settings.OPTION_OF_TEACHER]
    others += [settings.OPTION_OF_START] if run.cell.starts else []
    return settings.differences(cfg, run.folder, others)


def is_trained(run: Run, cfg: Any) -> bool:
    """Whether the training is finished, by the last checkpoint or the record."""
    found = latest_checkpoint(run.folder)
    return found is not None and (
        found.name == settings.final_checkpoint(cfg)
        or bool(read_state(run.folder).get('trained'))
    )


def to_train(run: Run, cfg: Any, gpus: int = 1) -> list[str]:
    """The command that trains a run, from the last checkpoint if there is one."""
    found = latest_checkpoint(run.folder)
    # A file, as `--resume` alone would go on from the config's `load_from`.
    resume = [] if found is None else ['--resume', str(found)]
    words = [run.cell.config, '--work-dir', str(run.folder), *resume]
    if run.cell.max_iters is not None:
        words += ['--max-iters', str(run.cell.max_iters)]
    return _command('train', run, words, cfg, gpus)


def to_test(run: Run, cfg: Any, gpus: int = 1) -> list[str]:
    """The command that tests the last checkpoint and writes a table of the images."""
    words = [run.cell.config, str(checkpoint(run)), '--per-image']
    words += ['--work-dir', str(run.folder / 'test')]
    return _command('test', run, words, cfg, gpus)


def _command(
    job: str, run: Run, words: Sequence[str], cfg: Any, gpus: int
) -> list[str]:
    command = [sys.executable]
    if gpus > 1:
        command += ['-m', 'torch.distributed.run', '--standalone']
        command += ['--nproc_per_node', str(gpus)]
    command += ['-m', 'mmseg_jml', job, *words]
    if gpus > 1:
        command += ['--launcher', 'pytorch']
    if run.cell.loss is not None:
        command += ['--loss', run.cell.loss]
    changes = options(run, cfg)
    if changes:
        command.append('--cfg-options')
        command += [settings.option(key, value) for key, value in changes.items()]
    return command


def shown(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """The command as a line for a shell."""
    words = [f'{key}={shlex.quote(value)}' for key, value in environment.items()]
    return ' '.join([*words, shlex.join(command)])
