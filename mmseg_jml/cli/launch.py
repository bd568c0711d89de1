"""The commands `train` and `test`, and what the other commands share with them.

MMSegmentation is imported inside the functions, so that the other commands can be
imported without it.
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

# The parts that a config must have for training and for testing.
TRAINING = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
TESTING = ('model', 'test_dataloader', 'test_cfg', 'test_evaluator')
UNREGISTERED = ' registry. Please check'  # MMEngine's KeyError for an unknown `type`
LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def run_training(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Train a model with the arguments `argv`."""
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
    """Evaluate a checkpoint with the arguments `argv`."""
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
        check_weights(cfg, args.checkpoint)  # before the runner creates the work dir
        if Path(args.checkpoint).is_file():  # saved with the config
            cfg.checkpoint_sha256 = sha256_of(args.checkpoint)
    with errors_as_sentence((UnreadableError,)):
        _runner(cfg, for_test=True).test()
    _leave_process_group()


@contextlib.contextmanager
def errors_as_sentence(
    kinds: tuple[type[Exception], ...] = (ImportError, OSError, ValueError),
) -> Iterator[None]:
    """Exit with the message and no traceback, for errors that the user can fix.

    An unknown `type` in a config ends the process in the same way whatever the `kinds`.
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
    """Register our modules, and from now on load checkpoints without running code.

    Where MMSegmentation is missing, the process exits and says how to install it.
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
    """Use the CPU where MMEngine would use MPS, which does not support float64."""
    from mmengine.device import utils

    if utils.DEVICE == 'mps':
        utils.DEVICE = 'cpu'
        print(
            "The CPU is used, because Apple's GPUs do not support float64.",
            file=sys.stderr,
        )


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments `config` and `--cfg-options`."""
    parser.add_argument(
        'config',
        help='a config file, or a shipped config (`python -m mmseg_jml configs` lists '
        'them)',
    )
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
        help='replace the losses of all heads with those in _base_/losses/NAME.py or '
        'in a file of your own; `--cfg-options` are applied afterwards',
    )


def _common_parser(prog: str | None, description: str) -> argparse.ArgumentParser:
    parser = Parser(prog=prog, description=description)
    add_config_arguments(parser)
    _add_loss_argument(parser)
    parser.add_argument(
        '--work-dir',
        help='the folder for logs and checkpoints (default: '
        'work_dirs/<config>[-<loss>])',
    )
    parser.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        default='none',
        help='how the processes of a distributed run were started (default: none)',
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )
    return parser


def _train_parser(prog: str | None) -> argparse.ArgumentParser:
    parser = _common_parser(prog, 'Train a segmentation model.')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from CHECKPOINT, by default from the latest one in the work dir',
    )
    parser.add_argument(
        '--max-iters',
        type=int,
        metavar='N',
        help='train for N iterations; the learning rate schedule and the intervals of '
        'validation, checkpoints and logging are scaled in proportion; '
        '`--cfg-options` are applied afterwards',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train with mixed precision (CUDA)'
    )
    parser.add_argument(
        '--no-check',
        dest='check',
        action='store_false',
        help='do not check the losses and the first images and masks before training',
    )
    return parser


def _test_parser(prog: str | None) -> argparse.ArgumentParser:
    parser = _common_parser(prog, 'Evaluate a checkpoint.')
    parser.add_argument('checkpoint', help='a path or URL')
    parser.add_argument('--out', help='save the predicted label maps in this folder')
    parser.add_argument('--show', action='store_true', help='show each prediction')
    parser.add_argument(
        '--show-dir',
        help='save images with the predictions drawn over them in this folder',
    )
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        metavar='SECONDS',
        help='how long --show displays each prediction (default: 2)',
    )
    parser.add_argument('--tta', action='store_true', help='use test-time augmentation')
    parser.add_argument(
        '--per-image',
        action='store_true',
        help='write a table with the class areas, mIoU and calibration of each image '
        'next to the log',
    )
    parser.add_argument(
        '--confusion-matrix',
        action='store_true',
        help='write the confusion matrix next to the log: as CSV, Markdown and a plot',
    )
    return parser


def load_config(
    args: argparse.Namespace, needs: Collection[str] = ('model',)
) -> tuple[Path, Config]:
    """The path of the config in `args`, and the config itself.

    If it cannot be read or lacks a part in `needs`, the process exits with the reason.
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
    # Old launchers pass the rank as an argument, but mmengine reads the environment.
    # It uses Open MPI's variable for the device, not for DistributedDataParallel.
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
    """Destroy the process group, if any, while its threads can still be joined.

    DistributedDataParallel keeps the group alive through the runner's reference cycles.
    If it lives until the interpreter exits, gloo aborts a finished process.
    """
    import torch.distributed

    gc.collect()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
