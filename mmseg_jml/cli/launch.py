"""Train and test a config: what `tools/train.py` and `tools/test.py` run.

MMSegmentation is imported inside the functions: without it the modules that stand
beside this one still import.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config_options import ConfigOptions
from ..files import UnreadableError, sha256_of
from ..installation import require_mmseg
from ..schedule import remark_on_length
from .noise import without_noise
from .parser import Parser

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

# What a config must have for the one and for the other.
TRAINING = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
TESTING = ('model', 'test_dataloader', 'test_cfg', 'test_evaluator')
UNREGISTERED = ' registry. Please check'  # MMEngine's KeyError for an unknown `type`
LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def run_training(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Train as the command line `argv` says."""
    args = _train_parser(prog).parse_args(argv)
    prepare_mmseg()
    cfg = _load(args, TRAINING)
    from .loss_trial import check_losses
    from .options import apply_train_options
    from .preflight import (
        check_data_sets,
        check_loaders,
        check_loop,
        check_save_best,
        prepare_launcher,
    )

    with errors_as_sentence():
        apply_train_options(cfg, args)
        remark = remark_on_length(cfg) if _is_first_process() else None
        if remark:
            print(f'warning: {remark}', file=sys.stderr)
        if _is_first_process():
            check_loop(cfg)
            check_save_best(cfg)
            check_loaders(cfg)
            if args.check:
                check_losses(cfg)
                check_data_sets(cfg)
        prepare_launcher(cfg)
    with errors_as_sentence((UnreadableError,)):
        _runner(cfg, for_test=False).train()
    _leave_process_group()


def run_test(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Evaluate a checkpoint as the command line `argv` says."""
    args = _test_parser(prog).parse_args(argv)
    prepare_mmseg()
    cfg = _load(args, TESTING)
    from .loading import check_weights
    from .options import apply_test_options, require_file
    from .preflight import check_evaluation, prepare_launcher

    with errors_as_sentence():
        require_file(args.checkpoint, '`checkpoint`')
        check_evaluation(cfg, 'test')
        apply_test_options(cfg, args)
        prepare_launcher(cfg)
        check_weights(cfg, args.checkpoint)  # before the runner makes the work dir
        if Path(args.checkpoint).is_file():  # for the config that is written
            cfg.checkpoint_sha256 = sha256_of(args.checkpoint)
    with errors_as_sentence((UnreadableError,)):
        _runner(cfg, for_test=True).test()
    _leave_process_group()


@contextlib.contextmanager
def errors_as_sentence(
    kinds: tuple[type[Exception], ...] = (ImportError, OSError, ValueError),
) -> Iterator[None]:
    """End the process with the message alone: these errors are the user's to mend.

    So is a `type` that no registry has, whatever `kinds` are.
    """
    try:
        yield
    except kinds as error:
        sys.exit(f'error: {error}')
    except KeyError as error:
        if UNREGISTERED not in str(error):
            raise
        sys.exit(f'error: {error.args[0]}')


def prepare_mmseg() -> None:
    """Register everything, and from now on read checkpoints without running code.

    Without MMSegmentation end with how to install it.
    """
    from .. import register

    with without_noise():
        with errors_as_sentence():
            require_mmseg()
        register()
    from ..checkpoints import distrust_checkpoints

    distrust_checkpoints()
    leave_apple_gpu()


def leave_apple_gpu() -> None:
    """Use the CPU where MMEngine would use MPS, which has no float64 to sum in."""
    from mmengine.device import utils

    if utils.DEVICE == 'mps':
        utils.DEVICE = 'cpu'
        print("on the CPU: Apple's GPUs have no float64", file=sys.stderr)


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config and what changes it."""
    parser.add_argument('config', help='a file, or a path in the shipped tree')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help='change settings of the config, for example randomness.seed=1; '
        'put a value that has spaces in quotation marks',
    )


def _add_loss_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--loss',
        metavar='NAME',
        help='replace the losses of all heads by those of _base_/losses/NAME.py, or of '
        'a file like it; `--cfg-options` come after it',
    )


def _common_parser(prog: str | None, description: str) -> argparse.ArgumentParser:
    parser = Parser(prog=prog, description=description)
    add_config_arguments(parser)
    _add_loss_argument(parser)
    parser.add_argument(
        '--work-dir', help='logs and checkpoints (default: work_dirs/<config>[-<loss>])'
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )
    return parser


def _train_parser(prog: str | None) -> argparse.ArgumentParser:
    parser = _common_parser(prog, 'Train a segmentor.')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from the latest checkpoint of the work dir, or from CHECKPOINT',
    )
    parser.add_argument(
        '--max-iters',
        type=int,
        metavar='N',
        help='train for N iterations: the schedule of the learning rate, validation, '
        'checkpoints and the log are shortened or lengthened in proportion; '
        '`--cfg-options` come after it',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision (CUDA)')
    parser.add_argument(
        '--no-check',
        dest='check',
        action='store_false',
        help='start even if the check of the losses and of the first images and masks '
        'would find a problem',
    )
    return parser


def _test_parser(prog: str | None) -> argparse.ArgumentParser:
    parser = _common_parser(prog, 'Evaluate a checkpoint.')
    parser.add_argument('checkpoint', help='a file or an address')
    parser.add_argument('--out', help='save predicted label maps in this folder')
    parser.add_argument('--show', action='store_true', help='show predictions')
    parser.add_argument('--show-dir', help='save painted predictions in this folder')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds of --show')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    parser.add_argument(
        '--per-image',
        action='store_true',
        help='write a table of the pictures beside the log: areas of the classes, '
        'mIoU, calibration',
    )
    parser.add_argument(
        '--confusion-matrix',
        action='store_true',
        help='write which class is taken for which beside the log, as CSV, Markdown '
        'and a figure',
    )
    return parser


def load_config(
    args: argparse.Namespace, needs: Collection[str] = ('model',)
) -> tuple[Path, Config]:
    """The config file that `add_config_arguments` asked for, and what it says.

    Where it cannot be read, or lacks a part of `needs`, the process ends with why.
    """
    from .reading import read_config

    with errors_as_sentence():
        return read_config(args, needs)


def _load(args: argparse.Namespace, needs: Collection[str]) -> Config:
    path, cfg = load_config(args, needs)
    cfg.launcher = args.launcher
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        loss = getattr(args, 'loss', None)
        name = f'{path.stem}-{Path(loss).stem}' if loss else path.stem
        cfg.work_dir = str(Path('work_dirs') / name)
    # Old launchers hand the rank over as an argument, mmengine reads the environment.
    # That of Open MPI it takes for the device alone, not for DistributedDataParallel.
    local_rank = os.environ.get('OMPI_COMM_WORLD_LOCAL_RANK', str(args.local_rank))
    os.environ.setdefault('LOCAL_RANK', local_rank)
    return cfg


def _is_first_process() -> bool:
    rank = os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0'))
    return rank == '0'


def _runner(cfg: Config, *, for_test: bool) -> Runner:
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    from ..hooks.broken_files import BrokenFilesHook
    from ..hooks.weights import WeightsHook
    from .tester import TestRunner

    kind = TestRunner if for_test else Runner
    runner = RUNNERS.build(cfg) if cfg.get('runner_type') else kind.from_cfg(cfg)
    runner.register_hook(BrokenFilesHook())
    runner.register_hook(WeightsHook(exact=for_test))
    return runner


def _leave_process_group() -> None:
    """End the process group, if there is one, while its threads can still be joined.

    DistributedDataParallel keeps the group alive, and a runner is full of reference
    cycles: one left to the interpreter's exit makes gloo abort a finished process.
    """
    import torch.distributed

    gc.collect()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
