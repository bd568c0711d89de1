"""Replace the losses of a config with those in a file of `configs/_base_/losses`."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shipped import configs_dir
from .suggestion import did_you_mean

if TYPE_CHECKING:
    from mmengine.config import Config

FOLDER = Path('_base_') / 'losses'
# The losses that need an option for a head with one channel.
WITH_SIGMOID = (
    'CrossEntropyLoss',
    'JaccardMetricLoss',
    'KLDistillationLoss',
    'SoftCrossEntropyLoss',
)


def find_fragment(loss: str) -> Path:
    """The path of a loss file, which is given by its path or by a name like 'jml-bls'.

    Raises:
        FileNotFoundError: there is no such file; the message lists the shipped ones.
    """
    if Path(loss).is_file():
        return Path(loss)
    folder = configs_dir() / FOLDER
    known = {path.stem: path for path in sorted(folder.glob('*.py'))}
    if loss not in known:
        raise FileNotFoundError(
            f'there is no loss {loss!r}{did_you_mean(loss, known)}; it must be a '
            f'file or one of {", ".join(known)}'
        )
    return known[loss]


def use_loss(cfg: Config, loss: str) -> None:
    """Replace the losses of all heads with those of a loss file.

    The main head, which is the last of a cascade, gets `loss_main`, and all others get
    `loss_aux`. A model with one head gets `loss_decode`. The distillation losses of a
    student are replaced with `distill_main` and `distill_aux`, or `distill_decode`. In
    a head with one channel the losses get `use_sigmoid=True`.

    Raises:
        FileNotFoundError: there is no such loss file.
        ValueError: it has no loss for such heads; only one of it and the model uses a
            teacher; the model has no `decode_head`.
    """
    from mmengine.config import Config

    fragment = Config.fromfile(find_fragment(loss))
    *others, main = _heads(cfg)
    role = 'main' if others else 'decode'
    main['loss_decode'] = _of(fragment, f'loss_{role}', loss, main)
    for head in others:
        head['loss_decode'] = _of(fragment, 'loss_aux', loss, head)
    taught = any(key.startswith('distill_') for key in fragment)
    has_teacher = 'teacher' in cfg.model
    if taught != has_teacher:
        raise ValueError(
            f'`loss` must be one {"with" if has_teacher else "without"} a teacher, '
            f'like the model, got {loss!r}'
        )
    if taught:
        to_teacher = _of(fragment, f'distill_{role}', loss, main)
        cfg.model.distill_losses = to_teacher
        to_teacher = _of(fragment, 'distill_aux', loss, main)
        cfg.model.auxiliary_distill_losses = to_teacher


def _of(fragment: Config, key: str, loss: str, head: dict[str, Any]) -> Any:
    if key not in fragment:
        raise ValueError(f'`loss` must have a `{key}` for this model, got {loss!r}')
    found = copy.deepcopy(fragment[key])
    channels = head.get('out_channels') or head.get('num_classes')
    if channels == 1 and found is not None:
        _use_sigmoid(found)
    return found


def _use_sigmoid(losses: Any) -> None:
    """Set `use_sigmoid=True` in every loss that has it, also inside a CompoundLoss."""
    for loss in losses if isinstance(losses, list) else [losses]:
        if loss['type'] in WITH_SIGMOID:
            loss['use_sigmoid'] = True
        _use_sigmoid(loss.get('losses', []))


def _heads(cfg: Config) -> list[dict[str, Any]]:
    """The configs of the heads; the main head is the last."""
    model = cfg.get('model', {})
    heads: list[dict[str, Any]] = []
    for key in ('auxiliary_head', 'decode_head'):
        found = model.get(key) or []
        heads += found if isinstance(found, list) else [found]
    if not model.get('decode_head'):
        raise ValueError('a `loss` needs a model with a `decode_head`')
    return heads
