"""The text of a report."""

from __future__ import annotations

from collections.abc import Sequence

from ...markdown_table import table
from .cells import spread
from .comparison import Comparison, finished
from .findings import Findings, families
from .paper_section import paper_section
from .records import Column
from .statistics import ROUNDS, summarize

LONGEST_REASON = 300  # characters
CAPTIONS = {
    'metrics': 'Means, with each run as a point',
    'differences': 'Differences to the baseline',
    'classes': 'Differences for each class',
    'curves': 'Training: means, with bands from the lowest to the highest run',
    'trade_off': 'Accuracy against calibration',
    'sweep': 'Swept values: means, with bands from the lowest to the highest run',
}
HOURS = 'Hours count the time of each training iteration once, without validation. '
MEMORY = 'Memory is GPU memory in training, or that of the process on a CPU. '
CHOSEN = (
    'The best of several values looks too good on the images that it was chosen on: '
    'report its results on other images.'
)
COVERED = (
    '**The intervals cover the choice of test images.** Brackets show 95 % intervals '
    'from {rounds:,} bootstrap samples of the test images{among}. Both methods are '
    'measured on the same samples: each run gets its own mIoU (or Acc) of the sampled '
    'images, which is averaged over {runs}. The intervals show how much of a '
    'difference may be due to the choice of these test images. They assume that images '
    'are independent. Frames of one drive are not, and then the true interval is '
    'wider. ECE and BECE have no intervals, because they are not stored for each image.'
)
NOT_COVERED = (
    '**The intervals do not cover the training.** Another seed gives another model. '
    'The columns "± over {runs}" show the standard deviation (n - 1) of the '
    'differences between runs with the same {unit}. {mean}. With few runs the standard '
    'deviation is only a rough estimate, and with one run it is unknown. A difference '
    'that is small compared with it means nothing, whatever its interval.'
)
MEAN = 'The standard error of the mean of n runs is about that divided by √n'
MEAN_OF_FOLDS = (
    'The standard error of the mean of n runs is more than that divided by √n, because '
    'folds share training images'
)


def report_text(findings: Findings, plots: Sequence[str]) -> str:
    """The report as Markdown; `plots` are the names of the figures next to it."""
    plan = findings.plan
    parts = [
        [f'# {plan.name}', *([plan.description] if plan.description else [])],
        _summary(findings),
        _pictures(['metrics', 'trade_off'], plots),
        _sweep(findings),
        _pictures(['sweep'], plots),
        _differences(findings),
        _pictures(['differences', 'classes'], plots),
        paper_section(findings),
        ['## Training', *_pictures(['curves'], plots)] if 'curves' in plots else [],
        _unfinished(findings),
        _every_run(findings),
    ]
    return '\n\n'.join(block for part in parts for block in part) + '\n'


def _pictures(names: Sequence[str], plots: Sequence[str]) -> list[str]:
    return [f'![{CAPTIONS[name]}]({name}.png)' for name in names if name in plots]


def _summary(findings: Findings) -> list[str]:
    rows = []
    for name, cell in findings.cells.items():
        runs = findings.runs[name]
        cells = [
            spread(cell.figures.get(column.name), column.digits)
            for column in findings.columns
        ]
        done = f'{len(finished(runs))} of {len(runs)}'
        rows.append([findings.titles[name], done, *cells])
    head = ['', 'runs', *(column.title for column in findings.columns)]
    return ['## Results', table(head, rows), _remark_on_summary(findings)]


def _remark_on_summary(findings: Findings) -> str:
    pictures = {cell.pictures for cell in findings.cells.values()} - {0}
    text = (
        f'The table shows mean ± standard deviation (n - 1) over {findings.repeats}, '
        'and the maximum in brackets. A single run has only a value. '
    )
    if len(pictures) == 1:
        text += f'The runs were tested on {pictures.pop()} images. '
    names = {column.name for column in findings.columns}
    text += HOURS if 'hours' in names else ''
    text += MEMORY if 'memory' in names else ''
    return f'{text}All values are in `runs.csv` and `summary.csv`.'


def _sweep(findings: Findings) -> list[str]:
    """The value with the best mIoU in each family of cells."""
    sweep = findings.plan.sweep
    if sweep is None:
        return []
    rows = []
    for title, family in families(findings.plan).items():
        found = {
            cell.swept[sweep.name]: findings.cells[cell.name].figures['mIoU']
            for cell in family
            if 'mIoU' in findings.cells[cell.name].figures
        }
        if found:
            best, summary = max(found.items(), key=lambda item: item[1].mean)
            number = f'{len(found)} of {len(family)}'
            rows.append([title, str(best), spread(summary, 2), number])
    head = ['', f'best {sweep.name}', 'mIoU (%)', 'values tried']
    return [f'## {sweep.name}', table(head, rows), CHOSEN] if rows else []


def _differences(findings: Findings) -> list[str]:
    if not findings.comparisons:
        return []
    columns = [column for column in findings.columns if column.keys]
    several = len(set(findings.baselines.values())) > 1
    head = ['', *(['to'] if several else [])]
    for column in columns:
        head += [column.title, f'± over {findings.repeats}']
    rows = []
    for name, found in findings.comparisons.items():
        if found.changes:
            baseline = [findings.titles[findings.baselines[name]]] if several else []
            rows.append([findings.titles[name], *baseline, *_changes(found, columns)])
    remarks: dict[str, list[str]] = {}
    for name, found in findings.comparisons.items():
        if found.remark:
            remarks.setdefault(found.remark, []).append(findings.titles[name])
    lines = [f'- {"; ".join(names)}: {remark}.' for remark, names in remarks.items()]
    text = [f'## Differences to {findings.baseline}']
    text += [table(head, rows)] if rows else []
    text += ['\n'.join(lines)] if lines else []
    some = any(found.classes for found in findings.comparisons.values())
    return [*text, *(_remark_on_intervals(findings) if some else [])]


def _changes(found: Comparison, columns: Sequence[Column]) -> list[str]:
    cells = []
    for column in columns:
        change = found.changes.get(column.name)
        if change is None:
            cells += ['', '']
            continue
        text = f'{change.value:+.2f}'
        if change.low is not None:
            text += f' [{change.low:+.2f}, {change.high:+.2f}]'
        values = found.of_runs.get(column.name)
        cells += [text, _spread_of_runs(values) if values else '']
    return cells


def _spread_of_runs(values: Sequence[float]) -> str:
    std = summarize(values).std
    number = f'(n = {len(values)})'
    return number if std is None else f'{std:.2f} {number}'


def _remark_on_intervals(findings: Findings) -> list[str]:
    among = ', drawn within each fold' if findings.plan.folds else ''
    runs = findings.repeats
    mean = MEAN_OF_FOLDS if findings.plan.folds else MEAN
    unit = runs.replace('s ', ' ').removesuffix('s')
    words = {'rounds': ROUNDS, 'among': among, 'runs': runs, 'unit': unit, 'mean': mean}
    return [COVERED.format(**words), NOT_COVERED.format(**words)]


def _unfinished(findings: Findings) -> list[str]:
    every = [run for runs in findings.runs.values() for run in runs]
    missing = [run for run in every if run.state != 'done']
    if not missing:
        return []
    # Alike runs of a cell share a row.
    names: dict[tuple[str, str, str], list[str]] = {}
    for run in missing:
        key = findings.titles[run.cell], run.state, _short(run.reason)
        names.setdefault(key, []).append(run.name)
    rows = [[key[0], '; '.join(runs), *key[1:]] for key, runs in names.items()]
    return [
        '## Not finished',
        f'{len(missing)} of {len(every)} runs are not included in the results above:',
        table(['', 'runs', 'state', 'reason'], rows),
    ]


def _short(reason: str) -> str:
    """The first and the last line of a reason, for example of a traceback."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    text = ' … '.join(dict.fromkeys([*lines[:1], *lines[-1:]]))
    return text if len(text) <= LONGEST_REASON else f'{text[:LONGEST_REASON]} …'


def _every_run(findings: Findings) -> list[str]:
    rows = []
    for name, runs in findings.runs.items():
        for run in finished(runs):
            values = [
                f'{run.figures[column.name]:.{column.digits}f}'
                if column.name in run.figures
                else ''
                for column in findings.columns
            ]
            rows.append([findings.titles[name], run.name, *values])
    if not rows:
        return []
    head = ['', 'run', *(column.title for column in findings.columns)]
    return [
        f'<details><summary>All finished runs ({len(rows)})</summary>',
        table(head, rows),
        '</details>',
    ]
