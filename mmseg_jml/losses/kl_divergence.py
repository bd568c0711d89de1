"""The Kullback-Leibler divergence to a teacher or another soft target."""

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor

from ..functional.class_sums import ClassSums
from ..functional.cross_entropy import CROSS_ENTROPY, cross_entropy_partials
from ..functional.distillation import divergence_of, entropy_sum
from .base import SoftLabelLoss
from .batch import Batch


@MODELS.register_module()
class KLDivergenceLoss(SoftLabelLoss):
    """T^2 times the mean over the valid pixels of KL(target || student).

    The formula is that of `functional.distillation.teacher_divergence`. At T = 1 its
    gradient is that of the cross-entropy to the same target, and unlike that it is 0
    where the two are equal. A target that comes as probabilities is taken as it is; a
    teacher's logits, as the distilling segmentors hand them over, are softened too.

    Args:
        use_sigmoid, temperature, sync, ignore_index, loss_weight, loss_name:
            as in `SoftLabelLoss`.

    >>> import torch
    >>> logits = torch.tensor([[[0.0], [1.0]]])
    >>> abs(KLDivergenceLoss()(logits, logits.softmax(1)).item()) < 1e-6
    True
    """

    def __init__(
        self,
        *,
        use_sigmoid: bool = False,
        temperature: float = 1.0,
        sync: bool = False,
        ignore_index: int = 255,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_kl',
    ) -> None:
        super().__init__(
            class_weight=None,
            use_sigmoid=use_sigmoid,
            temperature=temperature,
            label_smoothing=None,
            sync=sync,
            ignore_index=ignore_index,
            loss_weight=loss_weight,
            loss_name=loss_name,
        )

    def needs(self) -> frozenset[str]:
        """The fields of `ClassSums` that the loss is made of."""
        return CROSS_ENTROPY

    def partials(self, sums: ClassSums) -> list[Tensor]:
        """The weighted sum of the cross-entropy and its weight."""
        return cross_entropy_partials(sums)

    def constants(self, batch: Batch) -> list[Tensor]:
        """The weighted sum of the target's own entropy."""
        entropy = entropy_sum(
            batch.target,
            batch.weight,
            label=batch.label,
            activation='sigmoid' if self.use_sigmoid else 'softmax',
            temperature=self.temperature,
        )
        return [entropy.to(batch.logits.device)]

    def finish(self, partials: Sequence[Tensor]) -> Tensor:
        """Their difference's mean."""
        return divergence_of(partials, self.temperature)
