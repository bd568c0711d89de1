"""Record what a report was made from, so that it does not overwrite another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import sha256_of, write_whole

if TYPE_CHECKING:
    from mmengine.config import Config

NOTE = 'made_by.json'
REPORT = 'report.md'
NAMES = ('config_file', 'checkpoint_file', 'cfg_options')  # recorded, but not compared


def origin_of(
    command: str,
    cfg: Config,
    config_file: Path,
    checkpoint: str,
    split: str,
    options: Mapping[str, Any],
    cfg_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that the results of a checkpoint on a split depend on.

    `config` is a hash of the model, the dataloader and the evaluator of the split, with
    `--cfg-options`; `checkpoint` is a hash of the file, or its URL.
    """
    parts = {
        key: cfg.get(key)
        for key in ('model', f'{split}_dataloader', f'{split}_evaluator')
    }
    text = json.dumps(parts, default=str, sort_keys=True)
    is_file = Path(checkpoint).is_file()
    return {
        'command': command,
        'config': hashlib.sha256(text.encode()).hexdigest(),
        'checkpoint': sha256_of(checkpoint) if is_file else checkpoint,
        'split': split,
        **options,
        'config_file': str(config_file),
        'checkpoint_file': checkpoint,
        'cfg_options': {key: str(value) for key, value in (cfg_options or {}).items()},
    }


def default_folder(kind: str, config: Path, checkpoint: str, split: str) -> Path:
    """The default folder, which differs for each config, checkpoint and split.

    >>> default_folder('teacher', Path('a.py'), 'work_dirs/run/iter_9.pth', 'val')
    PosixPath('work_dirs/a/teacher/run-iter_9-val')
    """
    path = Path(checkpoint.partition('://')[2] or checkpoint)
    parts = (path.absolute().parent.name, path.stem, split)
    return Path('work_dirs') / config.stem / kind / '-'.join(filter(None, parts))


def require_same_origin(folder: Path, origin: Mapping[str, Any]) -> None:
    """Raise if a folder holds a report that was made from something else.

    Raises:
        ValueError: The message says what differs.
    """
    note = folder / NOTE
    remedy = 'choose another folder with `--out`, or delete this one'
    if note.is_file():
        try:
            before = dict(json.loads(note.read_text(encoding='utf-8')))
        except (ValueError, TypeError) as error:
            raise ValueError(f'{note} cannot be read ({error}): {remedy}') from error
        changed = [
            key
            for key, value in origin.items()
            if key not in NAMES and before.get(key) != value
        ]
        if changed:
            raise ValueError(
                f'{folder} holds a report with another {" and ".join(changed)} '
                f'(checkpoint {before.get("checkpoint_file")}): {remedy}'
            )
    elif (folder / REPORT).exists():
        raise ValueError(
            f'{folder} holds a report that does not say what it was made from: {remedy}'
        )


def write_origin(folder: Path, origin: Mapping[str, Any]) -> None:
    """Record what the files of a folder were made from."""
    text = json.dumps(origin, indent=2, default=str)
    write_whole(folder / NOTE, f'{text}\n'.encode())


def sentence_of(origin: Mapping[str, Any]) -> str:
    """A sentence about the origin, for readers of the report."""
    changes = ' '.join(f'{k}={v}' for k, v in origin['cfg_options'].items())
    changed = f' with `--cfg-options {changes}`' if changes else ''
    digest = origin['checkpoint']
    shown = '' if '://' in digest else f' (SHA-256 {digest[:16]}…)'
    return (
        f'Made from the config `{origin["config_file"]}`{changed} and the checkpoint '
        f'`{origin["checkpoint_file"]}`{shown}, on the {origin["split"]} split.'
    )
