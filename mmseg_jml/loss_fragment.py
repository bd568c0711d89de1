"""Put the losses of a fragment, one of `configs/_base_/losses`, into any config."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shipped import configs_dir

if TYPE_CHECKING:
    from mmengine.config import Config

FOLDER = Path('_base_') / 'losses'
OF_TEACHERS = ('distill_decode', 'distill_main', 'distill_aux')


def find_fragment(loss: str) -> Path:
    """The path of a fragment: a file, or the name of a shipped one such as 'jml-bls'.

    Raises:
        FileNotFoundError: there is neither; the message names the shipped ones.
    """
    if Path(loss).is_file():
        return Path(loss)
    folder = configs_dir() / FOLDER
    known = {path.stem: path for path in sorted(folder.glob('*.py'))}
    if loss not in known:
        raise FileNotFoundError(
            f'no loss {loss!r}: neither a file nor one of {", ".join(known)}'
        )
    return known[loss]


def use_loss(cfg: Config, loss: str) -> None:
    """Replace the losses of all heads by those of a fragment.

    The main head, the last of a cascade, gets `loss_main` and all others `loss_aux`; a
    model of one head gets `loss_decode`.

    Raises:
        FileNotFoundError: no such fragment.
        ValueError: it is for students, or it has no loss for such heads, or the config
            is of a student or has no `decode_head`.
    """
    from mmengine.config import Config

    fragment = Config.fromfile(find_fragment(loss))
    if 'teacher' in cfg.get('model', {}) or any(map(fragment.get, OF_TEACHERS)):
        raise ValueError(
            f'`loss` must be without a teacher, and so must the model, got {loss!r}: '
            'distillation needs a config of its own (see configs/distillation)'
        )
    *others, main = _heads(cfg)
    for head, key in [(main, 'loss_main' if others else 'loss_decode')] + [
        (head, 'loss_aux') for head in others
    ]:
        if key not in fragment:
            raise ValueError(f'`loss` must have a `{key}` for this model, got {loss!r}')
        head['loss_decode'] = copy.deepcopy(fragment[key])


def _heads(cfg: Config) -> list[dict[str, Any]]:
    """The heads' configs, the main one last."""
    model = cfg.get('model', {})
    heads: list[dict[str, Any]] = []
    for key in ('auxiliary_head', 'decode_head'):
        found = model.get(key) or []
        heads += found if isinstance(found, list) else [found]
    if not model.get('decode_head'):
        raise ValueError('a `loss` needs a model with a `decode_head`')
    return heads
