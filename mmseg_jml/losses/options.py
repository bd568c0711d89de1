"""Options that the losses share."""

from typing import Any

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


def check_loss_name(loss_name: str) -> None:
    """Refuse a name that MMEngine would log but not train on."""
    if not isinstance(loss_name, str) or 'loss' not in loss_name:
        raise ValueError(
            "`loss_name` must contain 'loss' (MMEngine trains on such names alone), "
            f'got {loss_name!r}'
        )
