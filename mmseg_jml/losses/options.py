"""Options that the losses share."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..functional.checks import check_number
from ..labels import LabelTransform
from ..registry import MODELS


def build_label_smoothing(config: Any) -> LabelTransform | None:
    """A label transform from its config, from itself, or None.

    Raises:
        TypeError: neither a config nor a callable.
    """
    if config is None or (callable(config) and not isinstance(config, dict)):
        return config
    if not isinstance(config, dict):
        raise TypeError(
            '`label_smoothing` must be None, a config such as '
            f"dict(type='BoundaryLabelSmoothing') or a callable, got {config!r}"
        )
    transform: LabelTransform = MODELS.build(config)
    return transform


def class_weight_tensor(class_weight: object) -> Tensor | None:
    """Class weights (C,) float32 >= 0, or None."""
    if class_weight is None:
        return None
    if isinstance(class_weight, str) or not isinstance(class_weight, Sequence):
        raise TypeError(
            f'`class_weight` must be None or a list of numbers, got {class_weight!r}'
        )
    for value in class_weight:
        check_number('class_weight', value, 0)
    return torch.tensor(class_weight, dtype=torch.float32)


def check_class_weight(class_weight: Tensor | None, num_classes: int) -> None:
    """Refuse weights that are not one a class."""
    if class_weight is not None and len(class_weight) != num_classes == 1:
        raise ValueError(
            '`class_weight` must be one number for a head of one channel, by which its '
            f'foreground pixels count, got {len(class_weight)} numbers'
        )
    if class_weight is not None and len(class_weight) != num_classes:
        raise ValueError(
            f'`class_weight` must have one number a class, {num_classes}, got '
            f'{len(class_weight)}'
        )


def check_loss_name(loss_name: str) -> None:
    """Refuse a name that MMEngine would log but not train on."""
    if not isinstance(loss_name, str) or 'loss' not in loss_name:
        raise ValueError(
            "`loss_name` must contain 'loss' (MMEngine trains on such names alone), "
            f'got {loss_name!r}'
        )
