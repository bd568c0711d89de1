"""The settings of a run: the config with overrides, data and seed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...config_options import read_value
from ...loss_fragment import use_loss
from ...schedule import change_length
from ...shipped import find_config

FOLD = 'DEEPGLOBE_FOLD'  # what configs of folds read
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# What the command line says of one attempt, not of what is trained.
OF_ATTEMPTS = ('work_dir', 'launcher', 'resume')
OPTION_OF_TEACHER = 'model.teacher_checkpoint'
OPTION_OF_START = 'load_from'
# How `train` writes checkpoints, whatever the config says of them.
OPTIONS_OF_WRITING = 'default_hooks.checkpoint.backend_args'
UNSET = 'not set'


def load(
    config: str,
    *,
    loss: str | None = None,
    fold: int | None = None,
    max_iters: int | None = None,
) -> Config:
    """Load a config before its overrides are applied.

    Raises:
        FileNotFoundError: there is no such config or loss.
        ValueError: it cannot be read, or the loss or the length does not fit.
    """
    path = find_config(config)
    with _in_environment(environment(fold)):
        try:
            cfg = Config.fromfile(path)
        except Exception as error:  # a config is a program
            raise ValueError(
                f'the config {config!r} cannot be read: {type(error).__name__}: {error}'
            ) from error
    if loss is not None:
        use_loss(cfg, loss)
    if max_iters is not None:
        change_length(cfg, max_iters)
    return cfg


def environment(fold: int | None) -> dict[str, str]:
    """The environment variables that a process needs for this fold."""
    return {} if fold is None else {FOLD: str(fold)}


@contextlib.contextmanager
def _in_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables while the block runs."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def apply(cfg: Config, options: Mapping[str, Any]) -> None:
    """Change a config as `--cfg-options` would.

    Raises:
        ValueError: an option sets a key of something that is not in the config. One new
            dict is allowed, like `clip_grad` in `optim_wrapper.clip_grad.max_norm`.
    """
    whole = cfg.to_dict()
    for key in options:
        place, _, _ = key.rpartition('.')
        above, _, _ = place.rpartition('.')
        is_new = _find(whole, place) is None and isinstance(_find(whole, above), dict)
        if not (is_new or isinstance(_find(whole, place), dict | list)):
            raise ValueError(
                f'`{key}` must be a setting of the config, which has no `{place}`'
            )
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'the overrides {list(options)} do not fit: {error}'
        ) from error


def _find(node: Any, key: str) -> Any:
    """The value at a dotted key: everything for '', None if there is no value."""
    for part in key.split('.') if key else ():
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict):
            node = node.get(part)
        else:
            return None
    return node


def data_roots(cfg: Config, root: str) -> dict[str, str]:
    """The options that set the data root of every dataset in all dataloaders.

    Raises:
        ValueError: no dataset has a `data_root`.
    """
    found = [key for loader in LOADERS for key in _roots(cfg.get(loader), loader)]
    if not found:
        raise ValueError(
            '`data_root` must be left out, because no dataset of the config has one'
        )
    return dict.fromkeys(found, root)


def _roots(node: Any, key: str) -> Iterator[str]:
    if not isinstance(node, dict):
        return
    if 'data_root' in node:
        yield f'{key}.data_root'
    yield from _roots(node.get('dataset'), f'{key}.dataset')
    for i, each in enumerate(node.get('datasets') or []):
        yield from _roots(each, f'{key}.datasets.{i}')


def option(key: str, value: Any) -> str:
    """The command-line argument that sets an option.

    >>> option('train_cfg.max_iters', 10), option('model.sizes', [1, 2])
    ('train_cfg.max_iters=10', 'model.sizes=[1,2]')

    Raises:
        ValueError: The command would read another value.
    """
    text = _text(value)
    try:
        read = read_value(text)
    except ValueError as error:  # brackets that do not match
        read = error
    # YAML leaves 1e-3 a word.
    if read != value and not (isinstance(value, str) and type(read) in (int, float)):
        raise ValueError(
            f'`{key}` must be a value that a command line can pass, got {value!r}, '
            f'which is read as {read!r}: set it in a config file instead'
        )
    return f'{key}={text}'


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f'[{",".join(map(_text, value))}]'
    return str(value)


def final_checkpoint(cfg: Config) -> str:
    """The file name of the last checkpoint of a complete training run."""
    train = cfg.get('train_cfg') or {}
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if hook.get('by_epoch', True):
        return f'epoch_{train.get("max_epochs")}.pth'
    return f'iter_{train.get("max_iters")}.pth'


def differences(cfg: Config, folder: Path, besides: Collection[str] = ()) -> list[str]:
    """How a config differs from the one that was trained in `folder`, if any.

    MMEngine saves the config of a training run there. Keys in `besides` are ignored.
    """
    dumps = sorted(folder.glob('*.py'), key=lambda path: path.stat().st_mtime)
    if not dumps:
        return []
    trained, wanted = Config.fromfile(dumps[-1]).to_dict(), cfg.to_dict()
    if trained.get('resume'):  # then it is the checkpoint that it went on from
        trained.pop('load_from', None)
        wanted.pop('load_from', None)
    was, now = _flat(trained), _flat(wanted)
    return [
        f'{key}: {was.get(key, UNSET)!r} there, but {now.get(key, UNSET)!r} in the plan'
        for key in sorted(was.keys() | now.keys())
        if key.split('.')[0] not in OF_ATTEMPTS
        and key not in besides
        and not key.startswith(OPTIONS_OF_WRITING)
        and was.get(key, UNSET) != now.get(key, UNSET)
    ]


def _flat(node: Any, prefix: str = '') -> dict[str, Any]:
    """Values by dotted keys; an empty mapping or list counts as a value."""
    items: Iterable[tuple[Any, Any]]
    if isinstance(node, dict) and node:
        items = node.items()
    elif isinstance(node, list | tuple) and node:
        items = enumerate(node)
    else:
        return {prefix.removesuffix('.'): node}
    flat: dict[str, Any] = {}
    for key, value in items:
        flat |= _flat(value, f'{prefix}{key}.')
    return flat
