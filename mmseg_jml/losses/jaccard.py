"""The Jaccard metric loss."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..functional.active_classes import ActiveClasses
from ..functional.jaccard import JaccardFormula, Variant
from ..functional.one_pass import ClassSums, Needs
from ..registry import MODELS
from .base import SoftLabelLoss


@MODELS.register_module
class JaccardMetricLoss(SoftLabelLoss):
    """Jaccard metric losses, the soft Jaccard losses, and their Dice and Tversky kin.

    On hard labels the soft Jaccard loss, and right on soft ones. The formulas, the
    variants and the reductions are those of `functional.jaccard`, the modes of active
    classes those of `functional.active_classes`.

    Args:
        variant: 'jml1' | 'jml2' | 'sjl_l1' | 'sjl_l2'.
        active_classes: 'all' | 'present' | 'label' | 'prob' | 'both'.
        threshold: in [0,1), above which a class is active.
        reduction: weights >= 0 of the keys 'batch', 'image', 'per_class'; None is
            dict(batch=1.0).
        alpha: >= 0, the weight of false positives; 1 is Jaccard, 0.5 Dice.
        beta: >= 0, that of false negatives; equal to alpha with 'sjl_l2'.
        gamma: >= 1, focal exponent.
        log_loss: -log(score) in place of 1 - score.
        smooth: >= 0, added to numerator and denominator.
        class_weight: None or one number >= 0 for each class, which multiplies the
            class's loss; a class of weight 0 is left out of the mean.
        use_sigmoid, temperature, label_smoothing, sync, ignore_index, loss_weight,
            loss_name:
            as in `SoftLabelLoss`.

    >>> import torch
    >>> loss = JaccardMetricLoss(smooth=0.0)
    >>> round(loss(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1).long()).item(), 4)
    0.5
    """

    def __init__(
        self,
        *,
        variant: Variant = 'jml1',
        active_classes: ActiveClasses = 'label',
        threshold: float = 0.01,
        reduction: Mapping[str, float] | None = None,
        alpha: float = 1.0,
        beta: float = 1.0,
        gamma: float = 1.0,
        log_loss: bool = False,
        smooth: float = 1.0,
        class_weight: Sequence[float] | None = None,
        use_sigmoid: bool = False,
        temperature: float = 1.0,
        label_smoothing: Any = None,
        sync: bool = False,
        ignore_index: int = 255,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_jml',
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
        self.variant = variant
        self.active_classes = active_classes
        self.threshold = threshold
        self.reduction = {'batch': 1.0} if reduction is None else reduction
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.log_loss = log_loss
        self.smooth = smooth
        self.formula.check()
        if class_weight is not None and len(class_weight) == 1:
            raise ValueError(
                '`class_weight` of JaccardMetricLoss weighs classes against one '
                f'another, and a head of one channel has only one, got {class_weight!r}'
                ': set `beta` > `alpha` to punish missed foreground more, or '
                '`loss_weight` to weigh the whole loss'
            )

    @property
    def formula(self) -> JaccardFormula:
        """The formula of the present options, which a hook may have changed."""
        return JaccardFormula(
            variant=self.variant,
            active_classes=self.active_classes,
            threshold=self.threshold,
            reduction=self.reduction,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            log_loss=self.log_loss,
            smooth=self.smooth,
            sigmoid=self.use_sigmoid,
        )

    def needs(self) -> Needs:
        """The fields of `ClassSums` that the loss is made of; checks the options."""
        self.formula.check()
        return self.formula.needs()

    def partials(self, sums: ClassSums) -> list[Tensor]:
        """Overlaps and active classes, summed over the images."""
        return self.formula.partials(sums, self.class_weight)

    def finish(self, partials: Sequence[Tensor]) -> Tensor:
        """The weighted sum of the reductions."""
        return self.formula.finish(partials, self.class_weight)
