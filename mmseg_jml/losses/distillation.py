"""Losses of a student's logits against a teacher's: Hinton's KL, CWD and DIST.

The formulas stand in `functional.distillation` and `functional.cross_entropy`. Each is
called `loss(logits, teacher_logits, weight=weight)`, both logits (N,C,H,W) of one size,
weight (N,H,W) or None, 0 at ignored pixels. A segmentor that distils does so.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..functional.checks import check_number
from ..functional.class_sums import ClassSums, class_sums
from ..functional.cross_entropy import (
    CROSS_ENTROPY,
    cross_entropy_of,
    cross_entropy_partials,
)
from ..functional.distillation import channel_wise_divergence, dist_loss
from .base import SoftLabelLoss, compute, ignore_in
from .batch import Batch, read_teacher, refuse_per_pixel
from .options import check_loss_name


@MODELS.register_module()
class KLDistillationLoss(SoftLabelLoss):
    """T^2 KL(teacher || student), both softened by the temperature T.

    The mean over the valid pixels. Its gradient is that of the cross-entropy to the
    teacher (times T^2), its value 0 where the two agree. In a `CompoundLoss` it shares
    the pass over the student's logits.

    Args:
        use_sigmoid, temperature, sync, ignore_index, loss_weight, loss_name:
            as in `SoftLabelLoss`.

    Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015.

    >>> loss = KLDistillationLoss(temperature=2.0)
    >>> logits = torch.tensor([0.0, 3.0]).view(1, 2, 1, 1)
    >>> abs(loss(logits, logits).item()) < 1e-6
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

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss; `target` are the teacher's logits, of the shape of the student's.

        The other arguments are those of `SoftLabelLoss`.
        """
        refuse_per_pixel(type(self).__name__, avg_factor, reduction_override)
        batch = read_teacher(
            logits,
            target,
            None,
            weight,
            ignore_index=self.ignore_index,
            use_sigmoid=self.use_sigmoid,
        )
        return compute([self], [batch])[0]

    def needs(self) -> frozenset[str]:
        """The fields of `ClassSums` that the loss is made of."""
        return CROSS_ENTROPY

    def partials(self, sums: ClassSums) -> list[Tensor]:
        """The sum of the cross-entropy to the teacher and its weight."""
        return cross_entropy_partials(sums)

    def constants(self, batch: Batch) -> list[Tensor]:
        """The sum of the teacher's own entropy: its cross-entropy to itself."""
        teacher = batch.target.logits
        if teacher is None:
            raise ValueError(
                f'{type(self).__name__} compares with the logits of a teacher: put it '
                'among `distill_losses`'
            )
        targets = [batch.target._replace(needs=CROSS_ENTROPY)]
        ignore_in(targets, batch.label)
        entropy, *_ = class_sums(
            teacher,
            targets,
            batch.weight,
            activation='sigmoid' if self.use_sigmoid else 'softmax',
            temperature=self.temperature,
        )
        return [entropy.cross_entropy.sum()]

    def finish(self, partials: Sequence[Tensor]) -> Tensor:
        """T^2 times the difference of the two, a mean over the weight."""
        crossed, weight, own = partials
        return self.temperature**2 * cross_entropy_of([crossed - own, weight])


class _LogitsLoss(nn.Module, ABC):
    """A loss of dense logits against a teacher's; a subclass gives its formula."""

    def __init__(
        self, *, temperature: float, loss_weight: float, loss_name: str
    ) -> None:
        super().__init__()
        check_number('temperature', temperature, 0, open_low=True)
        check_number('loss_weight', loss_weight, 0)
        check_loss_name(loss_name)
        self.temperature = temperature
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """The loss, a scalar, float32 at least."""
        read_teacher(
            logits, teacher_logits, None, weight, ignore_index=255, use_sigmoid=False
        )
        with torch.autocast(logits.device.type, enabled=False):
            return self.loss_weight * self.formula(
                logits, teacher_logits.detach(), weight
            )

    @abstractmethod
    def formula(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None
    ) -> Tensor:
        """The unweighted loss."""


@MODELS.register_module()
class CWDLoss(_LogitsLoss):
    """Channel-wise distillation: see `functional.channel_wise_divergence`.

    Args:
        temperature: > 0, of the softmax over the pixels; the paper's is 4.
        loss_weight: >= 0; the paper's for logits is 3.
        loss_name: the key in the log; must contain 'loss'.

    >>> logits = torch.randn(1, 2, 3, 3)
    >>> abs(CWDLoss()(logits, logits).item()) < 1e-6
    True
    """

    def __init__(
        self,
        *,
        temperature: float = 4.0,
        loss_weight: float = 3.0,
        loss_name: str = 'loss_cwd',
    ) -> None:
        super().__init__(
            temperature=temperature, loss_weight=loss_weight, loss_name=loss_name
        )

    def formula(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None
    ) -> Tensor:
        """The divergence of the maps of each class."""
        return channel_wise_divergence(
            logits, teacher_logits, weight, temperature=self.temperature
        )


@MODELS.register_module()
class DISTLoss(_LogitsLoss):
    """DIST: see `functional.dist_loss`.

    Args:
        beta: >= 0, the weight of the relation between classes.
        gamma: >= 0, that of the relation between pixels.
        temperature: > 0, of both softmaxes.
        loss_weight: >= 0, multiplies the loss.
        loss_name: the key in the log; must contain 'loss'.

    >>> logits = torch.randn(1, 2, 3, 3)
    >>> abs(DISTLoss()(logits, logits).item()) < 1e-5
    True
    """

    def __init__(
        self,
        *,
        beta: float = 1.0,
        gamma: float = 1.0,
        temperature: float = 1.0,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_dist',
    ) -> None:
        super().__init__(
            temperature=temperature, loss_weight=loss_weight, loss_name=loss_name
        )
        check_number('beta', beta, 0)
        check_number('gamma', gamma, 0)
        self.beta = beta
        self.gamma = gamma

    def formula(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None
    ) -> Tensor:
        """The two relations."""
        return dist_loss(
            logits,
            teacher_logits,
            weight,
            beta=self.beta,
            gamma=self.gamma,
            temperature=self.temperature,
        )
