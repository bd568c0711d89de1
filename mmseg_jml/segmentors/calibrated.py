"""A segmentor whose logits are scaled before they become predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor

from ..functional.checks import check_number
from ..functional.scaling import Scaling, scale_logits
from ..weights import fingerprint


@MODELS.register_module()
class CalibratedEncoderDecoder(EncoderDecoder):
    """An EncoderDecoder with calibrated probabilities.

    All methods scale the logits before anything else uses them, so that testing, TTA,
    painting, traces and exports all use the calibrated logits. Only the losses use the
    unscaled ones. The checkpoints of this class and of EncoderDecoder have the same
    keys.

    Args:
        scaling: `dict(temperature=T)`, T > 0, for z / T; or `dict(scale=[...],
            offset=[...])`, one number for each channel, for a_c z_c + b_c. With one
            channel z is the logit of the sigmoid. `tools/calibrate.py` writes both.
        fitted_to: The `weights.fingerprint` of the weights that the scaling was fitted
            to; loading other weights raises a ValueError. None accepts any weights.
        **kwargs: As in EncoderDecoder.

    Raises:
        TypeError: `scaling` is not such a dict, or a value in it is not a number.
        ValueError: T is not positive, a number is not finite, or there is not exactly
            one for each channel.
    """

    def __init__(
        self,
        *,
        scaling: Mapping[str, Any],
        fitted_to: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        scale, offset = _parse(scaling, self.out_channels)
        # Not persistent: a checkpoint has the plain model's keys.
        self.register_buffer('logit_scale', scale, persistent=False)
        self.register_buffer('logit_offset', offset, persistent=False)
        self.fitted_to = fitted_to
        self.merging = False  # whether `inference` is going to scale
        # Of the module: it also runs where MMSegmentation's own tools load a file.
        self.register_load_state_dict_post_hook(_require_fitted_weights)

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Calibrated logits (N,C,H,W), scaled once, after windows are merged."""
        self.merging = True
        try:
            logits = super().inference(inputs, batch_img_metas)
        finally:
            self.merging = False
        return self._scaled(logits)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Calibrated logits (N,C,H,W) of whole images or of windows."""
        logits = super().encode_decode(inputs, batch_img_metas)
        return logits if self.merging else self._scaled(logits)

    def _forward(self, inputs: Tensor, data_samples: Any = None) -> Tensor:
        """Calibrated logits (N,C,h,w) in the size of the head."""
        return self._scaled(super()._forward(inputs, data_samples))

    def _scaled(self, logits: Tensor) -> Tensor:
        return scale_logits(logits, Scaling(self.logit_scale, self.logit_offset))


def _require_fitted_weights(model: CalibratedEncoderDecoder, _: Any) -> None:
    if model.fitted_to is not None and fingerprint(model) != model.fitted_to:
        raise ValueError(
            'the scaling of this CalibratedEncoderDecoder was fitted to other weights '
            'than those of the checkpoint, and does not calibrate them. Use the '
            'checkpoint that was given to `calibrate`, or run `calibrate` on this one. '
            'To use the scaling anyway, add `--cfg-options model.fitted_to=None`'
        )


def _parse(scaling: Mapping[str, Any], channels: int) -> Scaling:
    if not isinstance(scaling, Mapping) or set(scaling) not in (
        {'temperature'},
        {'scale', 'offset'},
    ):
        raise TypeError(
            '`scaling` must be dict(temperature=...) or dict(scale=[...], '
            f'offset=[...]), got {scaling!r}'
        )
    if 'temperature' in scaling:
        temperature = scaling['temperature']
        check_number('scaling.temperature', temperature, 0, open_low=True)
        return Scaling(torch.tensor([1 / temperature]), torch.zeros(1))
    return Scaling(
        _vector('scale', scaling['scale'], channels),
        _vector('offset', scaling['offset'], channels),
    )


def _vector(name: str, values: Sequence[float], channels: int) -> Tensor:
    if not isinstance(values, Sequence) or len(values) != channels:
        raise ValueError(
            f'`scaling.{name}` must hold a number for each of the {channels} channels '
            f'of the head, got {values!r}'
        )
    for value in values:
        check_number(f'scaling.{name}', value, -float('inf'))
    return torch.tensor(values, dtype=torch.float32)
