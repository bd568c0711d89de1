"""Heads of one channel: their threshold, and an accuracy that is one.

MMSegmentation logs as `acc_seg` how often the largest channel is the label. Of one
channel that is always channel 0, so it logs the background's share of the pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..functional.targets import valid_mask

THRESHOLD = 0.3  # MMSegmentation's, where a config gives none


def threshold_of(model: Mapping[str, Any]) -> float | None:
    """The threshold of a segmentor's config where its head has one channel, else None.

    >>> threshold_of(dict(decode_head=dict(num_classes=2, out_channels=1)))
    0.3
    """
    head = model.get('decode_head') or {}
    last = head[-1] if isinstance(head, list | tuple) and head else head
    if not isinstance(last, Mapping):
        return None
    channels = last.get('out_channels') or last.get('num_classes')
    if channels != 1:
        return None
    threshold = last.get('threshold')
    return THRESHOLD if threshold is None else threshold


def threshold_sentence(model: Mapping[str, Any]) -> str:
    """The line that tells the threshold of a head of one channel; '' for other heads.

    >>> threshold_sentence(dict(decode_head=dict(num_classes=2)))
    ''
    """
    threshold = threshold_of(model)
    if threshold is None:
        return ''
    return (
        'The decode head has one channel: a pixel is predicted as foreground where its '
        f'probability is above {threshold:g}. Set `model.decode_head.threshold` to '
        'change that.\n'
    )


def one_channel_accuracy(
    logits: Tensor, label: Tensor, threshold: float, ignore_index: int = 255
) -> Tensor:
    """How many pixels of logits (N,1,H,W) and label (N,H,W) are right: (1,), per cent.

    Without a valid pixel it is 0.

    >>> import torch
    >>> logits, label = torch.tensor([[[[-2.0, 0.0]]]]), torch.tensor([[[0, 1]]])
    >>> one_channel_accuracy(logits, label, 0.3).item()
    100.0
    """
    valid = valid_mask(label, ignore_index)
    right = ((logits.detach()[:, 0].sigmoid() > threshold) == (label > 0)) & valid
    return (100 * right.sum() / valid.sum().clamp(min=1)).reshape(1)


def drop_background_share(segmentor: Any, losses: dict[str, Any]) -> None:
    """Take the `acc_seg` of heads of one channel out of a segmentor's losses.

    What a head measures by `one_channel_accuracy` stays.
    """
    for key in [key for key in losses if key.endswith('.acc_seg')]:
        kind, _, number = key.split('.')[0].partition('_')
        heads = segmentor.decode_head if kind == 'decode' else segmentor.auxiliary_head
        head = heads[int(number)] if number else heads
        if head.out_channels == 1 and not getattr(head, 'knows_one_channel', False):
            del losses[key]
