"""Read the config of a command, or explain in a sentence why this failed."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from ..loss_fragment import use_loss
from ..schedule import change_length
from ..shipped import find_config

if TYPE_CHECKING:
    from mmengine.config import Config

READER = '_file2dict'  # the function of MMEngine's that runs a config
CONFIG_SUFFIXES = ('.py', '.yml', '.yaml', '.json')  # those that MMEngine reads


def read_config(
    args: argparse.Namespace, needs: Collection[str] = ('model',)
) -> tuple[Path, Config]:
    """The path of the config in `args`, and the config with `--loss` and options.

    Raises:
        FileNotFoundError: The config, one of its bases or the loss does not exist.
        ImportError: A module in its `custom_imports` cannot be imported.
        ValueError: The config cannot be read, lacks a part in `needs`, or does not fit
            an option.
    """
    path = find_config(args.config)
    _check_order(path, getattr(args, 'checkpoint', None))
    cfg = _load(path)
    if getattr(args, 'loss', None):
        _check_parts(cfg, needs, path)
        use_loss(cfg, args.loss)
    if getattr(args, 'max_iters', None) is not None:
        change_length(cfg, args.max_iters)
    if args.cfg_options:
        _change(cfg, args.cfg_options)
    _check_parts(cfg, needs, path)
    return path, cfg


def _check_order(config: Path, checkpoint: str | None) -> None:
    """Raise if a checkpoint is given as the config, or a config as the checkpoint."""
    is_config = config.suffix in CONFIG_SUFFIXES
    if checkpoint is None or Path(checkpoint).suffix not in CONFIG_SUFFIXES:
        if is_config:
            return
        raise ValueError(
            f'`config` must be a file that ends in one of {", ".join(CONFIG_SUFFIXES)},'
            f' got {str(config)!r}'
        )
    if not is_config:
        raise ValueError(
            f'the config must come before the checkpoint, got {str(config)!r} as the '
            f'config and {checkpoint!r} as the checkpoint: swap them'
        )
    raise ValueError(f'`checkpoint` must be a file of weights, got {checkpoint!r}')


def _load(path: Path) -> Config:
    from mmengine.config import Config

    try:
        return Config.fromfile(path)
    except Exception as error:
        line = _line_of_config(error)
        if line is None and not isinstance(error, OSError | SyntaxError | ValueError):
            raise  # a module of the user's, whose traceback tells where
        where = f' on line {line} of it or of one of its bases' if line else ''
        raise ValueError(
            f'the config {path} cannot be read: {type(error).__name__}{where}: {error}'
        ) from error


def _line_of_config(error: Exception) -> int | None:
    """The number of the line that raised, if it is in a config that MMEngine ran."""
    *_, (caller, _), (frame, line) = walk_tb(error.__traceback__)
    functions = caller.f_code.co_name, frame.f_code.co_name
    return line if functions == (READER, '<module>') else None


def _change(cfg: Config, options: Mapping[str, Any]) -> None:
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'`--cfg-options` {", ".join(options)} do not fit the config: '
            f'{error.args[0]}'
        ) from error


def _check_parts(cfg: Config, needs: Collection[str], path: Path) -> None:
    missing = [part for part in needs if cfg.get(part) is None]
    if missing:
        raise ValueError(
            f'the config {path} has no {" and no ".join(map("`{}`".format, missing))}: '
            'add what is missing, or inherit from a complete config with `_base_`'
        )
    model = cfg.get('model')
    if 'model' in needs and not (isinstance(model, dict) and 'type' in model):
        raise ValueError(f'the `model` of {path} must be a dict with a `type`')
