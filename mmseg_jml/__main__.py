"""The commands of `python -m mmseg_jml`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from . import __version__
from .cli.parser import Parser, did_you_mean

# What runs a command: a module of `cli` and its function.
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
# What to do after Ctrl-C, where something of the work is kept.
GO_ON = {
    'train': ': `--resume` continues from the latest checkpoint of the work dir',
    'predict': ': the same command continues with what is left',
}
USAGE = """python -m mmseg_jml COMMAND ...

commands:
  configs [DEST] [--force]    list the shipped configs, or copy the tree to DEST
  new-config IMAGES MASKS ... write a config for your own images and masks
  train CONFIG ...            train; CONFIG is a file or a path in the shipped tree
  test CONFIG CHECKPOINT ...  evaluate a checkpoint
  predict CONFIG CHECKPOINT IMAGES ...
                              predict images without labels: classes, confidence
  calibrate CONFIG CHECKPOINT ...
                              fit a temperature on held-out pictures, write a config
  plot-calibration KIND ...   compare reliability diagrams or confidence maps of runs
  plot-runs WORK_DIR ...      training curves of runs, and their mean over seeds
  teacher-report CONFIG CHECKPOINT ...
                              measure a model as a teacher, and how soft it is
  check-dataset CONFIG ...    read all pictures and masks of a config, say what is wrong
  make-splits CONFIG ...      choose which training images keep their labels, or k folds
  export CONFIG CHECKPOINT OUT ...
                              one model of a semi-supervised checkpoint, as a plain one
  benchmark PLAN ...          train and test the cells of a plan, and report
  doctor                      say what is installed, and what to do where it is not

`python -m mmseg_jml COMMAND --help` has the options of each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = Parser(prog='python -m mmseg_jml', usage=USAGE)
    parser.add_argument('--version', action='version', version=__version__)
    parser.add_argument('command')
    parser.add_argument('rest', nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    if args.command not in COMMANDS:
        hint = did_you_mean(args.command, COMMANDS)
        print(
            f'error: there is no command {args.command!r}{hint}\n'
            f'`{parser.prog} --help` lists the commands.',
            file=sys.stderr,
        )
        return 2
    return run(args.command, args.rest, f'{parser.prog} {args.command}')


def run(
    command: str, argv: Sequence[str] | None = None, prog: str | None = None
) -> int:
    """Run a command with the arguments `argv`, by default those of the process.

    Returns the exit status; Ctrl-C ends in a line and the shells' status for it, 130.
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
