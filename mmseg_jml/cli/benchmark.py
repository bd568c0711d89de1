"""Run the trainings of a plan and write a report, for `tools/benchmark.py` too."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .launch import errors_as_sentence, prepare_mmseg
from .parser import Parser

if TYPE_CHECKING:
    from ..experiments.plan.plan import Plan
    from ..experiments.run.cells import Run
    from ..experiments.run.execution import Say
    from ..experiments.run.runner import Start


def run_benchmark(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Start the missing runs of the plan in `argv`; return 1 if a run failed."""
    args = _parser(prog).parse_args(argv)
    # A dry run prints a script to stdout, where frameworks print greetings.
    with contextlib.redirect_stdout(sys.stderr):
        prepare_mmseg()
    from mmengine.logging import MMLogger

    # Otherwise a line is logged each time the config of a fold is read.
    MMLogger.get_current_instance().setLevel('WARNING')
    from ..experiments.plan.plan import read_plan
    from ..experiments.run.cells import runs
    from ..experiments.run.runner import Runner, check, dry_run, remarks

    with errors_as_sentence():
        plan = read_plan(args.plan)
        work_dir = args.work_dir or Path('work_dirs') / plan.name
        if args.report_only:
            if not work_dir.is_dir():
                raise FileNotFoundError(
                    '`--report-only` needs the work dir of earlier runs, but there is '
                    f'no folder {str(work_dir)!r}'
                )
            print(f'report: {_report(plan, work_dir)}')
            return 0
        chosen = runs(plan, work_dir, args.only)
        check(chosen)
        for remark in remarks(chosen):
            print(f'warning: {remark}', file=sys.stderr)
        if args.dry_run:
            print(*dry_run(chosen, args.gpus_per_run), sep='\n')
            return 0
        start, jobs = _places(args, work_dir, len(chosen))
        report = partial(_report, plan, work_dir)
        report()  # so that a problem with the report shows before the trainings
    say = partial(print, flush=True)
    runner = Runner(chosen, start, jobs=jobs, after=partial(_try, report), say=say)
    try:
        with signals_interrupt():
            done = runner.run()
    except KeyboardInterrupt:
        print('\ninterrupted: run the same command again to continue', file=sys.stderr)
        return 130
    print(f'\n{runner.table()}')
    print(f'report: {report()}')
    return 0 if done else 1


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description='Train and test every cell of a plan with each of its seeds or '
        'folds, and write a report. Finished runs are skipped, and interrupted runs '
        'continue from their last checkpoint.',
    )
    parser.add_argument('plan', help='a YAML file that lists the trainings to compare')
    parser.add_argument(
        '--work-dir',
        type=Path,
        help='the folder for the runs and the report (default: work_dirs/<plan>)',
    )
    parser.add_argument(
        '--only',
        nargs='+',
        default=(),
        metavar='CELL',
        help='run only these cells and the teachers that they need',
    )
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='print the commands of the missing runs; start none',
    )
    parser.add_argument(
        '--report-only',
        action='store_true',
        help='write the report from existing runs; start none',
    )
    parser.add_argument(
        '--jobs',
        type=_positive,
        default=1,
        metavar='N',
        help='how many runs are active at the same time (default: 1)',
    )
    parser.add_argument(
        '--gpus-per-run',
        type=_positive,
        default=1,
        metavar='N',
        help='how many GPUs each run uses (default: 1)',
    )
    parser.add_argument(
        '--slurm',
        metavar='PARTITION',
        help='submit every run as a Slurm job to this partition, all at once',
    )
    parser.add_argument(
        '--slurm-options',
        nargs='+',
        default=(),
        metavar='KEY=VALUE',
        help='options for submitit, for example timeout_min=600 cpus_per_task=8 '
        'slurm_account=NAME',
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {number}')
    return number


def _places(args: argparse.Namespace, work_dir: Path, number: int) -> tuple[Start, int]:
    """A function that starts a run in a slot, and the number of slots."""
    gpus = args.gpus_per_run
    if args.slurm is not None:
        from ..experiments.run.slurm import make_executor, submit

        executor = make_executor(
            work_dir, args.slurm, gpus=gpus, options=args.slurm_options
        )
        return lambda run, _, say: submit(executor, run, gpus=gpus, say=say), number
    from ..experiments.run.execution import execute

    def start(run: Run, place: int, say: Say) -> Iterator[None]:
        environment = gpus_of(place, gpus) if args.jobs > 1 else {}
        return execute(run, gpus=gpus, environment=environment, say=say)

    return start, args.jobs


def gpus_of(place: int, number: int) -> dict[str, str]:
    """The GPUs of a slot, if there are any. Slots share GPUs if these are too few."""
    import torch

    count = torch.cuda.device_count()
    if not count:
        return {}
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    names = visible.split(',') if visible else [str(i) for i in range(count)]
    own = (names[(place * number + i) % count] for i in range(number))
    return {'CUDA_VISIBLE_DEVICES': ','.join(own)}


@contextlib.contextmanager
def signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and a closed terminal stop the child processes as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup leaves it
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _try(report: Callable[[], Path]) -> None:
    """Update the report after a run. A failure here must not stop the trainings."""
    try:
        report()
    except Exception as error:
        print(
            'warning: the report could not be written: '
            f'{type(error).__name__}: {error}',
            file=sys.stderr,
        )


def _report(plan: Plan, work_dir: Path) -> Path:
    from ..experiments.report.report import write_report

    return write_report(plan, work_dir)
