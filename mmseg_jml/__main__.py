"""The commands of `python -m mmseg_jml`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from . import __version__
from .cli.parser import Parser
from .suggestion import did_you_mean

# The module of `cli` and the function in it that run each command.
RUN = {
    'new-config': ('new_config', 'new_config'),
    'train': ('launch', 'run_training'),
    'test': ('launch', 'run_test'),
    'predict': ('predict', 'run_prediction'),
    'calibrate': ('calibrate', 'run_calibration'),
    'plot-calibration': ('plot_calibration', 'run_plot'),
    'plot-runs': ('plot_runs', 'run_plot_runs'),
    'teacher-report': ('teacher_report', 'run_teacher_report'),
    'check-dataset': ('check_data', 'check_data'),
    'make-splits': ('make_splits', 'make_splits'),
    'export': ('export', 'run_export'),
    'benchmark': ('benchmark', 'run_benchmark'),
    'doctor': ('doctor', 'doctor'),
}
COMMANDS = ('configs', *RUN)
INTERRUPTED = 130
# How to continue after Ctrl-C, for the commands that keep some of their work.
GO_ON = {
    'train': ': `--resume` continues from the latest checkpoint in the work dir',
    'predict': ': run the same command again to predict the remaining images',
}
USAGE = """python -m mmseg_jml COMMAND ...

commands:
  configs [DEST] [--force]    list the shipped configs, or copy them to DEST
  new-config IMAGES MASKS ... write a config for your own images and masks
  train CONFIG ...            train a model; CONFIG is a file or a shipped config
  test CONFIG CHECKPOINT ...  evaluate a checkpoint
  predict CONFIG CHECKPOINT IMAGES ...
                              predict classes and confidence of images without labels
  calibrate CONFIG CHECKPOINT ...
                              fit a temperature on held-out images and write a config
  plot-calibration KIND ...   compare reliability diagrams or confidence maps of runs
  plot-runs WORK_DIR ...      plot training curves of runs and their mean over seeds
  teacher-report CONFIG CHECKPOINT ...
                              measure how accurate, calibrated and soft a teacher is
  check-dataset CONFIG ...    read every image and mask of a config and report problems
  make-splits CONFIG ...      choose the labelled training images, or make k folds
  export CONFIG CHECKPOINT OUT ...
                              save one model of a semi-supervised training run
  benchmark PLAN ...          run every training of a plan, test it, write a report
  doctor                      check the installation and say how to fix it

Run `python -m mmseg_jml COMMAND --help` to see the options of a command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    parser = Parser(prog='python -m mmseg_jml', usage=USAGE)
    parser.add_argument('--version', action='version', version=__version__)
    parser.add_argument('command', help=argparse.SUPPRESS)
    parser.add_argument('rest', nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.command not in COMMANDS:
        hint = did_you_mean(args.command, COMMANDS)
        print(
            f'error: unknown command {args.command!r}{hint}\n'
            f'Run `{parser.prog} --help` to list the commands.',
            file=sys.stderr,
        )
        return 2
    return run(args.command, args.rest, f'{parser.prog} {args.command}')


def run(
    command: str, argv: Sequence[str] | None = None, prog: str | None = None
) -> int:
    """Run a command with the arguments `argv`, by default those of the process.

    Returns the exit status. After Ctrl-C it prints one line and returns 130, as shells
    do.
    """
    try:
        if command == 'configs':
            return _configs(argv, prog)
        # Each command imports what it needs: listing configs must not wait for torch.
        module, function = RUN[command]
        job = getattr(import_module(f'.cli.{module}', __package__), function)
        return job(argv, prog=prog) or 0
    except KeyboardInterrupt:
        print(f'\ninterrupted{GO_ON.get(command, "")}', file=sys.stderr)
        return INTERRUPTED


def _configs(argv: Sequence[str] | None, prog: str | None) -> int:
    from . import shipped

    parser = Parser(
        prog=prog,
        description='List the shipped configs, or copy all of them to DEST.',
    )
    parser.add_argument(
        'dest', nargs='?', type=Path, metavar='DEST', help='the folder to copy them to'
    )
    parser.add_argument(
        '--force', action='store_true', help='overwrite files that you have changed'
    )
    args = parser.parse_args(argv)
    if args.dest is None:
        print(*shipped.leaves(), sep='\n')
        return 0
    try:
        copied, same = shipped.copy_configs(args.dest, force=args.force)
    except OSError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{args.dest}: {copied} files copied, {same} were already there')
    return 0


if __name__ == '__main__':
    sys.exit(main())
