"""Write the report of a plan: Markdown, CSV files and plots of its runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...files import whole_file, write_csv
from ..plan.plan import Plan
from ..run.state import try_lock
from .findings import Findings, gather
from .markdown import report_text
from .plots import DRAWINGS, draw_plots
from .records import COLUMNS, Outcome
from .statistics import Estimate, summarize

FOLDER = 'report'
PAUSE = 0.2  # seconds between two looks at who writes
RECORDED = (
    'train_seconds',
    'test_seconds',
    'attempts',
    'device',
    'started',
    'finished',
)
SUMMARY = ('cell', 'title', 'metric', 'runs', 'mean', 'std', 'max', 'low', 'high')
DIFFERENCES = (
    'cell',
    'baseline',
    'metric',
    'difference',
    'low',
    'high',
    'runs',
    'mean_of_runs',
    'std_of_runs',
    'remark',
)


def write_report(
    plan: Plan, work_dir: str | Path, out: str | Path | None = None
) -> Path:
    """Write the report of the runs that exist, and return the path of `report.md`.

    Next to it are `runs.csv` (a row for each run), `summary.csv` (a row for each cell
    and column), `differences.csv` (to the baseline of the plan) and the plots. Every
    file is either complete or missing. No run is started and no model is needed. If
    another process writes to the same folder, this one waits for it.

    Args:
        plan: the plan of the runs.
        work_dir: the folder that contains the folders of the cells.
        out: the folder to write to; None is `report` in `work_dir`.
    """
    work_dir = Path(work_dir)
    out = work_dir / FOLDER if out is None else Path(out)
    while True:
        with try_lock(out) as lock:
            if lock is not None:
                _write(gather(plan, work_dir), out)
                return out / 'report.md'
        time.sleep(PAUSE)


def _write(findings: Findings, out: Path) -> None:
    write_csv(out / 'runs.csv', _run_rows(findings))
    write_csv(out / 'summary.csv', [SUMMARY, *_summary_rows(findings)])
    write_csv(out / 'differences.csv', [DIFFERENCES, *_difference_rows(findings)])
    figures = draw_plots(findings)
    for name in DRAWINGS:
        path = out / f'{name}.png'
        if name in figures:
            with whole_file(path) as temporary:
                figures[name].savefig(temporary)
        else:  # of an earlier report
            path.unlink(missing_ok=True)
    with whole_file(out / 'report.md') as temporary:
        temporary.write_text(report_text(findings, list(figures)), encoding='utf-8')


def _run_rows(findings: Findings) -> list[list[Any]]:
    """A row for each run, with a column for each result of any test."""
    runs = [run for of_cell in findings.runs.values() for run in of_cell]
    columns = [column.name for column in COLUMNS]
    scalars = list(dict.fromkeys(name for run in runs for name in run.scalars))
    scalars = [name for name in scalars if name not in columns]
    fixed = ['cell', 'title', 'fold', 'seed', 'state', 'reason', 'folder']
    return [[*fixed, *columns, *RECORDED, *scalars]] + [
        [
            run.cell,
            findings.titles[run.cell],
            run.fold,
            run.seed,
            run.state,
            run.reason,
            _inside(run, findings.work_dir),
            *(run.figures.get(name) for name in columns),
            *(run.record.get(name) for name in RECORDED),
            *(run.scalars.get(name) for name in scalars),
        ]
        for run in runs
    ]


def _inside(run: Outcome, work_dir: Path) -> str:
    return run.folder.relative_to(work_dir).as_posix()


def _summary_rows(findings: Findings) -> Iterator[list[Any]]:
    for name, cell in findings.cells.items():
        for metric, summary in cell.figures.items():
            interval = cell.intervals.get(metric)
            ends = [interval.low, interval.high] if interval else [None, None]
            yield [name, findings.titles[name], metric, *summary, *ends]


def _difference_rows(findings: Findings) -> Iterator[list[Any]]:
    for name, found in findings.comparisons.items():
        baseline = findings.baselines[name]
        rows: dict[str, Estimate] = {**found.changes}
        rows |= {f'IoU.{c}': change for c, change in found.classes.items()}
        for metric, change in rows.items():
            over_runs: list[Any] = [0, None, None]
            if metric in found.of_runs:
                over_runs = list(summarize(found.of_runs[metric])[:3])
            yield [name, baseline, metric, *change, *over_runs, found.remark]
        if not rows:
            yield [name, baseline, *[None] * 7, found.remark]
