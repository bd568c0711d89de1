"""Training curves from the logs of any MMEngine work dir."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...files import walk_files
from ...visualization import Band, Panel
from ..run.logs import MODELS, SCALARS, Log, read_log

# What stands in every line and is no measure.
COUNTERS = ('step', 'iter', 'epoch')


class Curve(NamedTuple):
    """The values of a metric in one run."""

    unit: str  # of its steps
    steps: np.ndarray
    values: np.ndarray


def find_work_dirs(folder: Path) -> list[Path]:
    """The sorted folders with a training log: `folder` and its subfolders.

    Raises:
        FileNotFoundError: there is none.
    """
    found = {
        path.parents[2]
        for path in walk_files(folder).files
        if path.relative_to(folder).match(f'*/{SCALARS}')
    }
    trained = [work_dir for work_dir in sorted(found) if read_log(work_dir).train]
    if not trained:
        raise FileNotFoundError(
            f'there is no training log ({SCALARS}) in {folder} or its subfolders'
        )
    return trained


def metrics_of(log: Log) -> list[str]:
    """The metrics that a log has curves of; those of validation come first.

    >>> metrics_of(Log([{'step': 1, 'loss': 2.0}], [{'step': 1, 'mIoU': 30.0}]))
    ['mIoU', 'loss']
    """
    names = dict.fromkeys(name for line in (*log.val, *log.train) for name in line)
    return [name for name in names if name not in COUNTERS]


def read_curve(log: Log, metric: str) -> Curve | None:
    """The finite values of a metric in training, or else in validation.

    If both a model and its moving average are measured, those of the average are used.

    >>> read_curve(Log([{'step': 50, 'loss': 2.0}], []), 'loss').steps
    array([50])
    """
    for lines, unit in (
        (log.train, 'iteration'),
        (log.val, 'epoch' if log.by_epoch else 'iteration'),
    ):
        for model in MODELS:
            found = [(line['step'], line.get(f'{model}{metric}')) for line in lines]
            points = [
                (step, value)
                for step, value in found
                if isinstance(value, int | float) and math.isfinite(value)
            ]
            if points:
                steps, values = zip(*points, strict=True)
                return Curve(unit, np.array(steps), np.array(values, float))
    return None


def mean_band(curves: Sequence[Curve]) -> Band:
    """The mean, minimum and maximum of runs, over the steps that all of them reached.

    The values of a run are interpolated linearly between its steps.

    >>> first = Curve('epoch', np.array([1, 2]), np.array([0.0, 2.0]))
    >>> second = Curve('epoch', np.array([1, 2, 3]), np.array([1.0, 3.0, 9.0]))
    >>> mean_band([first, second]).mean.tolist()
    [0.5, 2.5]
    """
    begin = max(curve.steps[0] for curve in curves)
    end = min(curve.steps[-1] for curve in curves)
    steps = np.unique(np.concatenate([curve.steps for curve in curves]))
    steps = steps[(steps >= begin) & (steps <= end)]
    values = np.stack([np.interp(steps, c.steps, c.values) for c in curves])
    runs = [(c.steps, c.values) for c in curves] if len(curves) > 1 else []
    return Band(steps, values.mean(0), values.min(0), values.max(0), runs)


def curve_panels(
    groups: Mapping[str, Sequence[Log]], metrics: Sequence[str]
) -> dict[str, Panel]:
    """One panel for each metric that any group has.

    Raises:
        ValueError: the steps of a metric are epochs in one run, iterations in another.
    """
    panels = {}
    for metric in metrics:
        found = {
            name: [curve for log in logs for curve in _curves(log, metric)]
            for name, logs in groups.items()
        }
        units = {curve.unit for curves in found.values() for curve in curves}
        if len(units) > 1:
            raise ValueError(
                f'{metric} is logged by epoch in some runs and by iteration in others'
            )
        bands = {name: mean_band(curves) for name, curves in found.items() if curves}
        if bands:
            panels[metric] = Panel(bands, units.pop())
    return panels


def _curves(log: Log, metric: str) -> Iterator[Curve]:
    curve = read_curve(log, metric)
    if curve is not None:
        yield curve
