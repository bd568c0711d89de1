"""Training curves of any work dirs: what `tools/plot_runs.py` runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import whole_file
from .launch import errors_as_sentence
from .parser import Parser

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..experiments.run.logs import Log

METRICS = ('mIoU', 'loss')


def run_plot_runs(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Draw as the command line `argv` says."""
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
        description='Curves of training runs, of any config: of several runs of one '
        'name the mean, and a band from the lowest to the highest.',
    )
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='[NAME=]WORK_DIR',
        help='a work dir, or a folder of several, as of seeds; a name may be given '
        "several times, without one it is the folder's",
    )
    parser.add_argument(
        '--metric',
        nargs='+',
        metavar='NAME',
        help='what to show, as the log names it, a panel each (default: mIoU loss)',
    )
    parser.add_argument(
        '--group',
        choices=('name', 'run'),
        default='name',
        help='one line for each name (the default), or for each run',
    )
    parser.add_argument('--out', type=Path, default=Path('runs.png'))
    return parser


def plot_runs(args: argparse.Namespace) -> Figure:
    """One panel a metric.

    Raises:
        FileNotFoundError: a folder has no log of a training.
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
            f'no run has {missing or list(METRICS)}, `--metric` may be of {known}'
        )
    return band_panels(panels)


def read_groups(words: Sequence[str], *, separate: bool) -> dict[str, list[Log]]:
    """The logs of all runs by the name of their line, from NAME=WORK_DIR.

    Raises:
        FileNotFoundError: a folder has no log of a training.
        ValueError: a word has no name before its `=` or no folder behind it.
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
    """Name and folder; a folder that is there may have a `=` in its own name.

    >>> split_word('CE=work_dirs/a')[0], split_word('work_dirs/a')[0]
    ('CE', 'a')
    """
    name, equals, path = word.partition('=')
    if not equals or Path(word).is_dir():
        return Path(word).resolve().name, Path(word)
    if not (name and path):
        raise ValueError(f'a run must be WORK_DIR or NAME=WORK_DIR, got {word!r}')
    return name, Path(path)
