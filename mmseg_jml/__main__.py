"""The commands of `python -m mmseg_jml`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__

COMMANDS = (
    'configs',
    'train',
    'test',
    'predict',
    'calibrate',
    'plot-calibration',
    'plot-runs',
    'teacher-report',
    'export',
    'benchmark',
    'doctor',
)
USAGE = """python -m mmseg_jml COMMAND ...

commands:
  configs [DEST] [--force]    list the shipped configs, or copy the tree to DEST
  train CONFIG ...            train; CONFIG is a file or a path in the shipped tree
  test CONFIG CHECKPOINT ...  evaluate a checkpoint
  predict CONFIG CHECKPOINT FOLDER ...
                              predict pictures without labels: classes, confidence
  calibrate CONFIG CHECKPOINT ...
                              fit a temperature on held-out pictures, write a config
  plot-calibration KIND ...   compare reliability diagrams or confidence maps of runs
  plot-runs WORK_DIR ...      training curves of runs, and their mean over seeds
  teacher-report CONFIG CHECKPOINT ...
                              measure a model as a teacher, and how soft it is
  export CONFIG CHECKPOINT OUT ...
                              one model of a semi-supervised checkpoint, as a plain one
  benchmark PLAN ...          train and test the cells of a plan, and report
  doctor                      say what is installed, and what to do where it is not

`python -m mmseg_jml COMMAND --help` has the options of each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog='python -m mmseg_jml', usage=USAGE)
    parser.add_argument('--version', action='version', version=__version__)
    parser.add_argument('command', choices=COMMANDS)
    parser.add_argument('rest', nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    # Each command imports what it needs: listing configs must not wait for torch.
    if args.command == 'configs':
        return _configs(args.rest)
    if args.command == 'doctor':
        from .cli.doctor import doctor

        return doctor(args.rest)
    prog = f'python -m mmseg_jml {args.command}'
    if args.command == 'predict':
        from .cli.predict import run_prediction

        return run_prediction(args.rest, prog=prog)
    if args.command == 'calibrate':
        from .cli.calibrate import run_calibration

        return run_calibration(args.rest, prog=prog)
    if args.command == 'plot-calibration':
        from .cli.plot_calibration import run_plot

        return run_plot(args.rest, prog=prog)
    if args.command == 'plot-runs':
        from .cli.plot_runs import run_plot_runs

        return run_plot_runs(args.rest, prog=prog)
    if args.command == 'teacher-report':
        from .cli.teacher_report import run_teacher_report

        return run_teacher_report(args.rest, prog=prog)
    if args.command == 'export':
        from .cli.export import run_export

        return run_export(args.rest, prog=prog)
    if args.command == 'benchmark':
        from .cli.benchmark import run_benchmark

        return run_benchmark(args.rest, prog=prog)
    from .cli import launch

    job = launch.run_training if args.command == 'train' else launch.run_test
    job(args.rest, prog=prog)
    return 0


def _configs(argv: Sequence[str]) -> int:
    from . import shipped

    parser = argparse.ArgumentParser(
        prog='python -m mmseg_jml configs',
        description='List the shipped configs, or copy their tree to DEST.',
    )
    parser.add_argument('dest', nargs='?', type=Path, metavar='DEST')
    parser.add_argument('--force', action='store_true', help='overwrite changed files')
    args = parser.parse_args(argv)
    if args.dest is None:
        print(*shipped.leaves(), sep='\n')
        return 0
    try:
        copied, same = shipped.copy_configs(args.dest, force=args.force)
    except OSError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{args.dest}: {copied} files copied, {same} already there and the same')
    return 0


if __name__ == '__main__':
    sys.exit(main())
