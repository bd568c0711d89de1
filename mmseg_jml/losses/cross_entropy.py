"""Cross-entropy for hard and soft labels."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..functional.cross_entropy import (
    CROSS_ENTROPY,
    cross_entropy_of,
    cross_entropy_partials,
)
from ..functional.one_pass import ClassSums, Needs
from ..registry import MODELS
from .base import SoftLabelLoss


@MODELS.register_module
class SoftCrossEntropyLoss(SoftLabelLoss):
    """Cross-entropy against hard or soft labels, a mean over the valid pixels.

    The formula is that of `functional.cross_entropy`, the arguments those of
    `SoftLabelLoss`. MMSegmentation's own loss refuses soft targets that come with an
    `ignore_index` and, by default, divides by the ignored pixels too. With
    `use_sigmoid` the class weights multiply the foreground's term of each channel, as
    those of MMSegmentation's binary cross-entropy do.

    >>> import torch
    >>> loss = SoftCrossEntropyLoss()
    >>> round(loss(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1).long()).item(), 4)
    0.6931
    """

    def __init__(
        self,
        *,
        class_weight: Sequence[float] | None = None,
        use_sigmoid: bool = False,
        temperature: float = 1.0,
        label_smoothing: Any = None,
        sync: bool = False,
        ignore_index: int = 255,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
    ) -> None:
        super().__init__(
            class_weight=class_weight,
            use_sigmoid=use_sigmoid,
            temperature=temperature,
            label_smoothing=label_smoothing,
            sync=sync,
            ignore_index=ignore_index,
            loss_weight=loss_weight,
            loss_name=loss_name,
        )

    def needs(self) -> Needs:
        """The fields of `ClassSums` that the loss is made of."""
        return CROSS_ENTROPY

    def pixel_class_weight(self) -> Tensor | None:
        """The class weights."""
        return self.class_weight

    def partials(self, sums: ClassSums) -> list[Tensor]:
        """The weighted sum of the cross-entropy and its weight."""
        return cross_entropy_partials(sums)

    def finish(self, partials: Sequence[Tensor]) -> Tensor:
        """Their ratio."""
        return cross_entropy_of(partials)
