"""The command `plot-runs`, which plots the training curves of any work dirs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import whole_file
from ..suggestion import did_you_mean
from .launch import errors_as_sentence
from .parser import Parser

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..experiments.run.logs import Log

METRICS = ('mIoU', 'loss')


def run_plot_runs(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Draw a figure with the arguments `argv`."""
    args = _parser(prog).parse_args(argv)
    with errors_as_sentence():
        figure = plot_runs(args)
    with whole_file(args.out) as temporary:
        figure.savefig(temporary)
    print(args.out)
    return 0


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description='Plot the training curves of runs of any config. Runs with the '
        'same name are shown as their mean, with a band from minimum to maximum.',
    )
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='[NAME=]WORK_DIR',
        help='a work dir, or a folder of work dirs, for example one for each seed. A '
        'name may be used several times; the default is the name of the folder',
    )
    parser.add_argument(
        '--metric',
        nargs='+',
        metavar='NAME',
        help='the metrics to show, named as in the log (default: mIoU loss)',
    )
    parser.add_argument(
        '--group',
        choices=('name', 'run'),
        default='name',
        help='draw one line for each name (the default) or for each run',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('runs.png'),
        help='the file of the figure (default: %(default)s)',
    )
    return parser


def plot_runs(args: argparse.Namespace) -> Figure:
    """One panel for each metric.

    Raises:
        FileNotFoundError: a folder has no training log.
        ValueError: no run has a metric that was asked for.
    """
    from ..experiments.report.curves import curve_panels, metrics_of
    from ..visualization import band_panels

    groups = read_groups(args.runs, separate=args.group == 'run')
    panels = curve_panels(groups, args.metric or METRICS)
    missing = [name for name in args.metric or () if name not in panels]
    if missing or not panels:
        logs = [log for of_group in groups.values() for log in of_group]
        known = list(dict.fromkeys(name for log in logs for name in metrics_of(log)))
        raise ValueError(
            f'`--metric` must be some of {known}, which are in the logs, got '
            f'{missing or list(METRICS)}{did_you_mean((missing or METRICS)[0], known)}'
        )
    return band_panels(panels)


def read_groups(words: Sequence[str], *, separate: bool) -> dict[str, list[Log]]:
    """The logs of all runs by the name of their line, from arguments NAME=WORK_DIR.

    Raises:
        FileNotFoundError: a folder has no training log.
        ValueError: an argument has no name before its `=` or no folder after it.
    """
    from ..experiments.report.curves import find_work_dirs
    from ..experiments.run.logs import read_log

    groups: dict[str, list[Log]] = {}
    for word in words:
        name, path = split_word(word)
        work_dirs = find_work_dirs(path)
        for work_dir in work_dirs:
            inside = work_dir.relative_to(path).as_posix()
            own = f'{name}/{inside}' if inside != '.' else name
            print(f'{name}: {work_dir}')
            groups.setdefault(own if separate else name, []).append(read_log(work_dir))
    return groups


def split_word(word: str) -> tuple[str, Path]:
    """Name and folder; an existing folder may have a `=` in its own name.

    >>> split_word('CE=work_dirs/a')[0], split_word('work_dirs/a')[0]
    ('CE', 'a')
    """
    name, equals, path = word.partition('=')
    if not equals or Path(word).is_dir():
        return Path(word).resolve().name, Path(word)
    if not (name and path):
        raise ValueError(f'a run must be WORK_DIR or NAME=WORK_DIR, got {word!r}')
    return name, Path(path)
