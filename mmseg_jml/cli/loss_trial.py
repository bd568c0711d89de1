"""Try the losses of a config on a few invented pixels, before a training run."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import nn

from .preflight import OVERRIDE

HEADS = ('decode_head', 'auxiliary_head')
DEFAULT = {'type': 'CrossEntropyLoss', 'use_sigmoid': False}  # of BaseDecodeHead
SIZE = 16  # pixels in each direction
ADVICE = (
    'give the loss `use_sigmoid=True` (a softmax over one channel is always 1), or '
    'give the head two channels'
)


def check_losses(cfg: Config) -> None:
    """Raise if a loss cannot train a head with one output channel.

    Raises:
        ValueError: there is such a loss; the message says how to change the config.
    """
    for sentence in loss_problems(cfg):
        raise ValueError(f'{sentence}\n{OVERRIDE}')


def loss_problems(cfg: Config) -> Iterator[str]:
    """Find the losses that cannot train their head, among heads with one channel.

    Each loss is called as the head will call it. It cannot train the head if it raises
    or if its gradient is zero. Heads that override how losses are called are skipped.
    """
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    for name in HEADS:
        heads = (cfg.get('model') or {}).get(name) or []
        for head in heads if isinstance(heads, list) else [heads]:
            if _has_one_channel(head):
                for kind, reason in _failing_losses(head):
                    yield (
                        f'`{name}` has one channel, which {kind} cannot train: '
                        f'{reason}; {ADVICE}'
                    )


def _has_one_channel(head: Mapping[str, Any]) -> bool:
    kind = head.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    usual = getattr(found, 'loss_by_feat', None) is BaseDecodeHead.loss_by_feat
    return usual and (head.get('out_channels') or head.get('num_classes')) == 1


def _failing_losses(head: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = head.get('loss_decode') or DEFAULT
    for config in given if isinstance(given, (list, tuple)) else [given]:
        loss = MODELS.build(copy.deepcopy(dict(config)))
        for part in loss if isinstance(loss, nn.ModuleList) else [loss]:
            reason = _try(part, head.get('ignore_index', 255))
            if not reason and getattr(part, 'use_sigmoid', None) is False:
                # Then its logits are not probabilities, but it raises no error.
                reason = 'its `use_sigmoid` is False'
            if reason and getattr(part, 'loss_weight', 1) != 0:
                yield type(part).__name__, reason


def _try(loss: nn.Module, ignore_index: int) -> str:
    """The reason why a loss cannot train one channel; '' if it can."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, SIZE, SIZE, generator=generator).requires_grad_()
    label = torch.randint(2, (2, SIZE, SIZE), generator=generator)
    try:
        value = loss(logits, label, weight=None, ignore_index=ignore_index)
        (gradient,) = torch.autograd.grad(value, logits, allow_unused=True)
    except Exception as error:  # losses raise what they like
        return f'{type(error).__name__}: {error}'.splitlines()[0].rstrip('.')
    moved = gradient is not None and bool(gradient.abs().sum() > 0)
    return '' if moved else 'its gradient is zero'
