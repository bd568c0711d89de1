"""The teacher of semi-supervised training: a moving average of the student."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.model import BaseAveragedModel
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from torch import nn

from ..functional.ranks import sum_over_ranks


def build_ema(config: Mapping[str, Any], student: EncoderDecoder) -> BaseAveragedModel:
    """An average of the student's parameters and buffers, as MMEngine's.

    `config` is that of an averaged model of MMEngine; its `module` is a plain
    EncoderDecoder.

    Raises:
        TypeError: the config is of another kind.
    """
    if not isinstance(config, Mapping) or 'type' not in config:
        raise TypeError(
            '`ema` must be the config of an averaged model of MMEngine (a dict with a '
            f'`type`), got {config!r}'
        )
    kind = MODELS.get(config['type'])
    if kind is None or not issubclass(kind, BaseAveragedModel):
        raise TypeError(
            '`ema` must be an averaged model of MMEngine (MomentumAnnealingEMA, '
            f'ExponentialMovingAverage), got {config["type"]!r}'
        )
    ema = MODELS.build({**config, 'model': student, 'update_buffers': True})
    # A copy of the student made before that got a teacher: nothing more than this.
    ema.module.__class__ = EncoderDecoder
    return ema.eval()


@torch.no_grad()
def step_ema(ema: BaseAveragedModel, student: nn.Module) -> None:
    """Average the student in; the first step copies it.

    The ranks' averages are the same: parameters are equal on all of them, and the
    statistics of batch normalization, which need not be, are averaged.
    """
    # MMEngine keeps tensors from when it was built; a move to a device replaces them.
    ema.avg_parameters = ema.module.state_dict()
    # MMEngine reads the count once for each tensor: on a GPU it would wait each time.
    steps, ema.steps = ema.steps, ema.steps.to('cpu', copy=True)
    ema.update_parameters(student)
    ema.steps = steps.copy_(ema.steps)
    world = get_world_size()
    if world == 1:
        return
    saved = set(ema.avg_parameters)
    buffers = [
        buffer
        for name, buffer in ema.module.named_buffers()
        if name in saved and buffer.is_floating_point()
    ]
    if buffers:
        for buffer, total in zip(buffers, sum_over_ranks(buffers), strict=True):
            buffer.copy_(total / world)
