"""Summarize the runs of cells, and compare cells with a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from .areas import PictureAreas, mismatch, read_areas
from .records import COLUMNS, Outcome
from .statistics import (
    Estimate,
    RunsByFold,
    Summary,
    estimate,
    resampled_measures,
    summarize,
)

# The pixel counts of the images in a run, or why there are none.
Counts = Mapping[Path, PictureAreas | str]


@dataclass(frozen=True)
class CellSummary:
    """A summary of the finished runs of a cell."""

    figures: Mapping[str, Summary]  # by column
    intervals: Mapping[str, Estimate]  # of Acc and mIoU, over pictures
    pictures: int  # of all folds; 0 where they were not counted


@dataclass(frozen=True)
class Comparison:
    """The difference between a cell and its baseline."""

    changes: Mapping[str, Estimate] = field(default_factory=dict)  # by column
    of_runs: Mapping[str, list[float]] = field(default_factory=dict)  # by column
    classes: Mapping[str, Estimate] = field(default_factory=dict)  # IoU
    remark: str = ''  # what is left out, and why


def finished(runs: Sequence[Outcome]) -> list[Outcome]:
    """The runs that are finished, and so are counted."""
    return [run for run in runs if run.state == 'done']


def read_counts(runs: Sequence[Outcome]) -> Counts:
    """The pixel counts of each image in the finished runs, by the folder of the run."""
    return {run.folder: _read_counts(run) for run in finished(runs)}


def _read_counts(run: Outcome) -> PictureAreas | str:
    if run.areas is None:
        return (
            f'{run.cell}, {run.name} has no pixel counts for its images: test it with '
            'CalibrationMetric(per_image_csv=True)'
        )
    try:
        return read_areas(run.areas)
    except (OSError, ValueError) as error:
        return f'{run.cell}, {run.name}: {error}'


def summarize_cell(runs: Sequence[Outcome], counts: Counts) -> CellSummary:
    """Summarize every result; add intervals if all runs have pixel counts."""
    runs = finished(runs)
    figures: dict[str, Summary] = {}
    for column in COLUMNS:
        values = [
            run.figures[column.name] for run in runs if column.name in run.figures
        ]
        mean = _mean_of_folds(runs, column.name)
        if mean is not None:
            figures[column.name] = summarize(values)._replace(mean=mean)
    if not runs or _uncounted(runs, counts) or _differ(_by_fold(runs, counts)):
        return CellSummary(figures, {}, 0)
    areas = _by_fold(runs, counts)
    measures = resampled_measures(areas)
    pictures = sum(len(of_fold[0].names) for of_fold in areas.values())
    drawn = {'Acc': measures.accuracy, 'mIoU': measures.miou}
    return CellSummary(figures, _estimates(drawn), pictures)


def compare(
    runs: Sequence[Outcome], baseline: Sequence[Outcome], counts: Counts
) -> Comparison:
    """Compare the runs of a cell with those of a baseline, over the folds of both.

    If they have common seeds in every such fold, only these seeds are compared, because
    a lucky seed of one method is not a difference between the methods.

    Nothing is compared if the runs were not tested on the same images. Without pixel
    counts of the images a difference has no interval.
    """
    folds = {run.fold for run in finished(runs)}
    folds &= {run.fold for run in finished(baseline)}
    if not folds:
        return Comparison(remark='there is no finished run of both')
    lost = _lost_folds([*runs, *baseline], folds)
    runs = [run for run in finished(runs) if run.fold in folds]
    baseline = [run for run in finished(baseline) if run.fold in folds]
    shared = {(r.fold, r.seed) for r in runs} & {(r.fold, r.seed) for r in baseline}
    if {fold for fold, _ in shared} == folds:
        unlike = _lost_seeds([*runs, *baseline], shared)
        runs, baseline = (
            [run for run in each if (run.fold, run.seed) in shared]
            for each in (runs, baseline)
        )
    else:
        unlike = 'the seeds differ from those of the baseline'
    remark = '; '.join(filter(None, (lost, unlike)))
    of_runs = _changes_of_runs(runs, baseline)
    changes = _changes_of_means(runs, baseline)
    uncounted = _uncounted([*runs, *baseline], counts)
    if uncounted:
        why = f'no intervals, and the test images may differ: {uncounted}'
        return Comparison(
            changes, of_runs, remark='; '.join(filter(None, (remark, why)))
        )
    areas = _by_fold([*runs, *baseline], counts)
    reason = _differ(areas)
    if reason:
        return Comparison(remark=f'not compared: {reason}')
    mine, other = (
        resampled_measures(_by_fold(each, counts)) for each in (runs, baseline)
    )
    changes |= _estimates(
        {'Acc': mine.accuracy - other.accuracy, 'mIoU': mine.miou - other.miou}
    )
    classes = next(iter(areas.values()))[0].classes
    of_class = dict(zip(classes, (mine.iou - other.iou).unbind(1), strict=True))
    return Comparison(changes, of_runs, _estimates(of_class), remark)


def _estimates(values: Mapping[str, Tensor]) -> dict[str, Estimate]:
    """The estimates of those that have a value."""
    found = {name: estimate(each) for name, each in values.items()}
    return {name: each for name, each in found.items() if each is not None}


def _uncounted(runs: Sequence[Outcome], counts: Counts) -> str:
    """Why one of the runs has no pixel counts; empty if all have them."""
    reasons = (counts[run.folder] for run in runs)
    return next((reason for reason in reasons if isinstance(reason, str)), '')


def _by_fold(
    runs: Sequence[Outcome], counts: Counts
) -> dict[int | None, list[PictureAreas]]:
    found: dict[int | None, list[PictureAreas]] = {}
    for run in runs:
        areas = counts[run.folder]
        if not isinstance(areas, str):
            found.setdefault(run.fold, []).append(areas)
    return found


def _differ(areas: RunsByFold) -> str | None:
    """Why the test images of the runs of a fold differ."""
    for of_fold in areas.values():
        for other in of_fold[1:]:
            reason = mismatch(of_fold[0], other)
            if reason:
                return reason
    return None


def _lost_folds(runs: Sequence[Outcome], folds: set[int | None]) -> str:
    lost = sorted({run.fold for run in runs if run.fold is not None} - folds)
    return f'without fold {", ".join(map(str, lost))}' if lost else ''


def _lost_seeds(
    runs: Sequence[Outcome], shared: set[tuple[int | None, int | None]]
) -> str:
    lost = [run.name for run in runs if (run.fold, run.seed) not in shared]
    return f'without {"; ".join(dict.fromkeys(lost))}' if lost else ''


def _changes_of_means(
    runs: Sequence[Outcome], baseline: Sequence[Outcome]
) -> dict[str, Estimate]:
    changes = {}
    for column in COLUMNS:
        mine, other = (_mean_of_folds(each, column.name) for each in (runs, baseline))
        if mine is not None and other is not None:
            changes[column.name] = Estimate(mine - other)
    return changes


def _mean_of_folds(runs: Sequence[Outcome], column: str) -> float | None:
    """The mean over folds of the means over their runs, because folds differ."""
    folds: dict[int | None, list[float]] = {}
    for run in runs:
        if column in run.figures:
            folds.setdefault(run.fold, []).append(run.figures[column])
    means = [summarize(values).mean for values in folds.values()]
    return summarize(means).mean if means else None


def _changes_of_runs(
    runs: Sequence[Outcome], baseline: Sequence[Outcome]
) -> dict[str, list[float]]:
    """The differences between two runs with the same seed and fold."""
    partners = {(run.fold, run.seed): run.figures for run in baseline}
    found: dict[str, list[float]] = {}
    for column in COLUMNS:
        changes = [
            run.figures[column.name] - other[column.name]
            for run in runs
            for other in [partners.get((run.fold, run.seed), {})]
            if column.name in run.figures and column.name in other
        ]
        found |= {column.name: changes} if changes else {}
    return found
