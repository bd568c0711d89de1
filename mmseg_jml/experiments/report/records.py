"""Read what the runs of a plan measured, or why they measured nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..plan.plan import Cell, Plan
from ..run.cells import run_folder
from ..run.logs import (
    MODELS,
    SECONDS_PER_HOUR,
    Log,
    peak_memory,
    read_log,
    training_hours,
)
from ..run.state import FILE as RECORD

State = Literal['done', 'failed', 'running', 'untested', 'missing']

TEST = 'test'
PER_IMAGE = '*per_image.csv'  # the metric's prefix stands in front
TIMES = ('time', 'data_time')


class Column(NamedTuple):
    """One kind of result of a run."""

    name: str
    title: str
    digits: int
    keys: tuple[str, ...] = ()  # of the test's result; the first that is there


COLUMNS = (
    Column('Acc', 'Acc (%)', 2, ('calib/Acc', 'aAcc')),
    Column('mIoU', 'mIoU (%)', 2, ('mIoU',)),
    Column('IoU', 'foreground IoU (%)', 2, ('fine/foreground_IoU',)),
    Column('Dice', 'Dice (%)', 2, ('fine/foreground_Dice',)),
    Column('sensitivity', 'sensitivity (%)', 2, ('fine/sensitivity',)),
    Column('specificity', 'specificity (%)', 2, ('fine/specificity',)),
    Column('ECE', 'ECE (%)', 2, ('calib/ECE',)),
    Column('BECE', 'BECE (%)', 2, ('calib/BECE',)),
    Column('hours', 'training (hours)', 2),
    Column('memory', 'peak memory (MB)', 0),
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one training of a cell and of its test."""

    cell: str
    seed: int | None
    fold: int | None
    folder: Path
    state: State
    reason: str = ''
    figures: Mapping[str, float] = field(default_factory=dict)  # by column
    scalars: Mapping[str, float] = field(default_factory=dict)  # all that was tested
    areas: Path | None = None  # the file of each picture's counts
    record: Mapping[str, Any] = field(default_factory=dict)  # what the runner noted
    log: Log = field(default=Log([], []), repr=False)

    @property
    def name(self) -> str:
        """Seed and fold.

        >>> Outcome('ce', 3, None, Path('ce/seed-3'), 'missing').name
        'seed 3'
        """
        parts = {'fold': self.fold, 'seed': self.seed}
        return ', '.join(f'{k} {v}' for k, v in parts.items() if v is not None)


def read_runs(plan: Plan, work_dir: Path) -> dict[str, list[Outcome]]:
    """All runs of a plan by their cell, including those that were not started."""
    return {
        cell.name: [
            _read_run(cell.name, seed, fold, _folder(work_dir, plan, cell, seed, fold))
            for fold in plan.folds or (None,)
            for seed in plan.seeds_of(cell)
        ]
        for cell in plan.cells
    }


def _folder(
    work_dir: Path, plan: Plan, cell: Cell, seed: int | None, fold: int | None
) -> Path:
    """The folder of a run; one trained by hand has no seed in its name."""
    folder = run_folder(work_dir, cell.name, seed, fold)
    if fold is None or len(plan.seeds_of(cell)) > 1 or folder.is_dir():
        return folder
    by_hand = run_folder(work_dir, cell.name, None, fold)
    return by_hand if by_hand.is_dir() else folder


def _read_run(cell: str, seed: int | None, fold: int | None, folder: Path) -> Outcome:
    record = _read_json(folder / RECORD) or {}
    log = read_log(folder)
    scalars, areas = _newest_test(folder / TEST)
    state, reason = _state(record, log, folder.is_dir(), bool(scalars))
    figures: dict[str, float] = {}
    for column in COLUMNS:
        keys = [f'{model}{key}' for key in column.keys for model in MODELS]
        found = [scalars[key] for key in keys if key in scalars]
        figures |= {column.name: found[0]} if found else {}
    costs = {
        'hours': training_hours(log) or _hours(record),
        'memory': peak_memory(log) or record.get('peak_memory_mb'),
    }
    figures |= {name: cost for name, cost in costs.items() if cost}
    return Outcome(
        cell,
        seed,
        fold,
        folder,
        state,
        reason,
        figures,
        scalars,
        areas,
        record,
        log,
    )


def _hours(record: Mapping[str, Any]) -> float:
    return (record.get('train_seconds') or 0) / SECONDS_PER_HOUR


def _state(
    record: Mapping[str, Any], log: Log, begun: bool, tested: bool
) -> tuple[State, str]:
    """The state of a run, from its record or, without one, from its files."""
    noted = record.get('state')
    if noted == 'failed':
        return 'failed', str(record.get('reason') or 'no reason was recorded')
    if noted == 'running':
        return 'running', 'it is still running, or was killed'
    if tested:
        return 'done', ''
    if not begun:
        return 'missing', 'it was not started'
    last = f'iteration {log.train[-1]["step"]}' if log.train else 'no iteration'
    return 'untested', f'it was trained to {last}, but {TEST}/ has no complete result'


def _newest_test(folder: Path) -> tuple[dict[str, float], Path | None]:
    """The newest result that has pixel counts, or else the newest of all."""
    without: dict[str, float] = {}
    # Folders are named by time.
    for attempt in sorted(folder.glob('*'), reverse=True):
        result = _read_json(attempt / f'{attempt.name}.json') or {}
        scalars = {
            name: float(value)
            for name, value in result.items()
            if isinstance(value, int | float)
            and math.isfinite(value)
            and name not in TIMES
        }
        counts = sorted(attempt.rglob(PER_IMAGE))
        if scalars and counts:
            return scalars, counts[0]
        without = without or scalars
    return without, None


def _read_json(path: Path) -> dict[str, Any] | None:
    """The content of a file; None if it is missing or incomplete."""
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
