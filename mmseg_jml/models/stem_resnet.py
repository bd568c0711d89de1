"""A ResNet that also returns what its stem sees."""

from mmseg.models.backbones import ResNetV1c
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class StemResNetV1c(ResNetV1c):
    """ResNetV1c with its stem as one more feature map, the first.

    MMSegmentation's own starts at stride 4. Options and checkpoints are those of
    `ResNetV1c`; `out_indices` counts stages and leaves the stem out.

    >>> import torch
    >>> maps = StemResNetV1c(depth=18)(torch.zeros(2, 3, 64, 96))
    >>> [tuple(each.shape[1:]) for each in maps[:3]]
    [(64, 32, 48), (64, 16, 24), (128, 8, 12)]
    """

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps of stride 2 (the stem), 4, 8, 16 and 32 of pictures (N,3,H,W)."""
        stem = self.stem(x)
        maps = [stem]
        x = self.maxpool(stem)
        for index, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)
            if index in self.out_indices:
                maps.append(x)
        return tuple(maps)
