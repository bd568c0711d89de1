"""Run a plan of trainings and report: what `tools/benchmark.py` runs."""

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
    """Run what is missing as the command line `argv` says; 1 if a run failed."""
    args = _parser(prog).parse_args(argv)
    # What a dry run prints is a script; frameworks greet on stdout.
    with contextlib.redirect_stdout(sys.stderr):
        prepare_mmseg()
    from mmengine.logging import MMLogger

    # Each reading of a fold's config would be told.
    MMLogger.get_current_instance().setLevel('WARNING')
    from ..experiments.plan.plan import read_plan
    from ..experiments.run.cells import runs
    from ..experiments.run.runner import Runner, check, dry_run, remarks

    with errors_as_sentence():
        plan = read_plan(args.plan)
        work_dir = args.work_dir or Path('work_dirs') / plan.name
        if args.report_only:
            if not work_dir.is_dir():
                raise FileNotFoundError(f'`--report-only`: no folder {str(work_dir)!r}')
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
        report()  # what it cannot do is better known now
    say = partial(print, flush=True)
    runner = Runner(chosen, start, jobs=jobs, after=partial(_try, report), say=say)
    try:
        with signals_interrupt():
            done = runner.run()
    except KeyboardInterrupt:
        print('\ninterrupted: the same command goes on from here', file=sys.stderr)
        return 130
    print(f'\n{runner.table()}')
    print(f'report: {report()}')
    return 0 if done else 1


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description='Train and test the cells of a plan, each with its seeds or folds, '
        'and report. What is finished is skipped, what was interrupted goes on.',
    )
    parser.add_argument('plan', help='a YAML file that lists the trainings to compare')
    parser.add_argument(
        '--work-dir', type=Path, help='default: work_dirs/<name of the plan>'
    )
    parser.add_argument(
        '--only', nargs='+', default=(), metavar='CELL', help='and their teachers'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='print the commands of what is missing'
    )
    parser.add_argument(
        '--report-only', action='store_true', help='of what is there; run nothing'
    )
    parser.add_argument('--jobs', type=_positive, default=1, help='runs at a time')
    parser.add_argument('--gpus-per-run', type=_positive, default=1, metavar='N')
    parser.add_argument(
        '--slurm', metavar='PARTITION', help='each run as a job, as many as there are'
    )
    parser.add_argument(
        '--slurm-options',
        nargs='+',
        default=(),
        metavar='KEY=VALUE',
        help="submitit's, as timeout_min=600 cpus_per_task=8 slurm_account=NAME",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {number}')
    return number


def _places(args: argparse.Namespace, work_dir: Path, number: int) -> tuple[Start, int]:
    """How a run starts in a place, and how many places there are."""
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
    """The GPUs of a place, where there are any: places share what is too few."""
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
    """Let SIGTERM and a closed terminal end the children as Ctrl-C does."""

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
    """Report on the way: what cannot be reported yet must not end the trainings."""
    try:
        report()
    except Exception as error:
        print(f'no report yet: {type(error).__name__}: {error}', file=sys.stderr)


def _report(plan: Plan, work_dir: Path) -> Path:
    from ..experiments.report.report import write_report

    return write_report(plan, work_dir)
