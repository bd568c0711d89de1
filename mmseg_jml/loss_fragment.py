"""Put the losses of a fragment, one of `configs/_base_/losses`, into any config."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shipped import configs_dir

if TYPE_CHECKING:
    from mmengine.config import Config

FOLDER = Path('_base_') / 'losses'
# Those that have to be told that the head has one channel.
WITH_SIGMOID = (
    'CrossEntropyLoss',
    'JaccardMetricLoss',
    'KLDistillationLoss',
    'SoftCrossEntropyLoss',
)


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

    The main head, the last of a cascade, gets `loss_main` and all others get
    `loss_aux`; the only head of a model gets `loss_decode`. A student's losses to its
    teacher become `distill_main` and `distill_aux`, or `distill_decode`. A head of one
    channel has its losses with `use_sigmoid=True`.

    Raises:
        FileNotFoundError: no such fragment.
        ValueError: it has no loss for such heads; it needs a teacher and the model has
            none, or the other way round; the model has no `decode_head`.
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
            f'`loss` must be {"with" if has_teacher else "without"} a teacher, as the '
            f'model is, got {loss!r}'
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
    """Ask every loss for it that can be asked, those of a CompoundLoss too."""
    for loss in losses if isinstance(losses, list) else [losses]:
        if loss['type'] in WITH_SIGMOID:
            loss['use_sigmoid'] = True
        _use_sigmoid(loss.get('losses', []))


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
