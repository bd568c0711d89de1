"""The decoder of a U-Net, over any backbone."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from .binary import one_channel_accuracy


@MODELS.register_module()
class UNetHead(BaseDecodeHead):
    """A U-Net's decoder over a backbone's maps, from stride 2 to its deepest.

    Each step resizes to the next finer map, whatever its size, joins the two and
    convolves twice; a last step without a partner doubles the size once more. The
    steps' widths halve down to `channels`: over five maps they are 16, 8, 4, 2 and 1
    times `channels`. Images of any size are welcome.

    MMSegmentation's `UNet` is a backbone of its own; this head lends the decoder to a
    pretrained one: `StemResNetV1c`, or `MobileNetV2` with `out_indices`
    (0, 1, 2, 4, 6).

    Args:
        in_channels: the maps' channels, the finest first, at least two.
        channels: the width of the last step.
        in_index: which of the backbone's maps; None takes the first ones.
        **options: of `BaseDecodeHead`: `num_classes`, `loss_decode`, `norm_cfg` etc.

    Source: Ronneberger, Fischer and Brox, MICCAI 2015; bilinear resizing and the widths
    follow Wang, Ning and Blaschko, NeurIPS 2023.

    >>> head = UNetHead([4, 8, 8], 2, num_classes=5)
    >>> maps = [torch.zeros(1, c, 33 >> i, 49 >> i) for i, c in enumerate([4, 8, 8])]
    >>> tuple(head(maps).shape)
    (1, 5, 66, 98)
    """

    knows_one_channel = True

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        *,
        in_index: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        if isinstance(in_channels, int) or len(in_channels) < 2:
            raise ValueError(
                '`in_channels` must list the channels of at least two maps, the finest '
                f'first, got {in_channels!r}'
            )
        in_index = list(range(len(in_channels)) if in_index is None else in_index)
        if len(in_index) != len(in_channels):
            raise ValueError(
                '`in_index` must name one map for each of `in_channels`, got '
                f'{in_index!r} for {in_channels!r}'
            )
        super().__init__(
            list(in_channels),
            channels,
            in_index=in_index,
            input_transform='multiple_select',
            **options,
        )
        *skips, width = in_channels
        self.steps = nn.ModuleList()
        for depth in reversed(range(len(in_channels))):
            skip = skips[depth - 1] if depth else 0
            self.steps.append(self._step(width + skip, channels << depth))
            width = channels << depth

    def _step(self, in_channels: int, out_channels: int) -> nn.Sequential:
        options = {
            'kernel_size': 3,
            'padding': 1,
            'conv_cfg': self.conv_cfg,
            'norm_cfg': self.norm_cfg,
            'act_cfg': self.act_cfg,
        }
        return nn.Sequential(
            ConvModule(in_channels, out_channels, **options),
            ConvModule(out_channels, out_channels, **options),
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits (N,C,2H,2W) from maps of which the finest is (N,_,H,W)."""
        if len(inputs) <= max(self.in_index):
            raise ValueError(
                f'`inputs` must have at least {max(self.in_index) + 1} maps, got '
                f'{len(inputs)} from the backbone: StemResNetV1c and MobileNetV2 with '
                '`out_indices` (0, 1, 2, 4, 6) give five'
            )
        *skips, x = self._transform_inputs(inputs)
        *joins, last = self.steps
        for step, skip in zip(joins, reversed(skips), strict=True):
            x = step(torch.cat([self._resize(x, skip.shape[2:]), skip], dim=1))
        height, width = x.shape[2:]
        return self.cls_seg(last(self._resize(x, (2 * height, 2 * width))))

    def loss_by_feat(
        self, seg_logits: Tensor, batch_data_samples: list[Any]
    ) -> dict[str, Tensor]:
        """The losses, and an `acc_seg` that is an accuracy for one channel, too."""
        losses = super().loss_by_feat(seg_logits, batch_data_samples)
        if self.out_channels == 1:
            label = self._stack_batch_gt(batch_data_samples).squeeze(1)
            losses['acc_seg'] = one_channel_accuracy(
                self._resize(seg_logits, label.shape[1:]),
                label,
                self.threshold,
                self.ignore_index,
            )
        return losses

    def _resize(self, x: Tensor, size: Sequence[int]) -> Tensor:
        corners = self.align_corners
        return F.interpolate(x, size, mode='bilinear', align_corners=corners)
