"""Losses of a student's logits against a teacher's: KL, CWD and DIST.

The formulas stand in `functional.distillation`. Each is called `loss(logits,
teacher_logits, weight)`; ignored pixels have weight 0.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..functional.checks import check_number
from ..functional.cross_entropy import CROSS_ENTROPY, cross_entropy_partials
from ..functional.distillation import (
    channel_wise_divergence,
    correlation_losses,
    divergence_of,
    entropy_sum,
)
from ..functional.door import check_logits, check_teacher
from ..functional.one_pass import ClassSums, Needs
from ..functional.tensors import working_dtype
from ..registry import MODELS
from .base import SoftLabelLoss, compute
from .batch import Batch, read_teacher, refuse_per_pixel
from .compiling import not_compiled
from .options import check_loss_name


@MODELS.register_module
class KLDistillationLoss(SoftLabelLoss):
    """T^2 times the mean over the valid pixels of KL(teacher || student).

    The formula is that of `functional.distillation.teacher_divergence`. At T = 1 its
    gradient is that of the cross-entropy to the teacher, and unlike that it is 0 where
    the two are equal.

    Args:
        use_sigmoid, temperature, sync, ignore_index, loss_weight, loss_name:
            as in `SoftLabelLoss`.

    Raises:
        ValueError: at the call, as a loss against a label.

    >>> logits = torch.tensor([[[0.0], [1.0]]])
    >>> abs(KLDistillationLoss()(logits, logits).item()) < 1e-6
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

    @not_compiled
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
        options = self.reading(ignore_index)
        batch = read_teacher(logits, target, None, weight, **options)
        return compute([self], [batch])[0]

    def needs(self) -> Needs:
        """The fields of `ClassSums` that the loss is made of."""
        return CROSS_ENTROPY

    def partials(self, sums: ClassSums) -> list[Tensor]:
        """The weighted sum of the cross-entropy and its weight."""
        return cross_entropy_partials(sums)

    def constants(self, batch: Batch) -> list[Tensor]:
        """The weighted sum of the teacher's own entropy."""
        if batch.target.logits is None:
            raise ValueError(
                f'{type(self).__name__} compares with the logits of a teacher: it '
                'belongs into `distill_losses`'
            )
        entropy = entropy_sum(
            batch.target.logits,
            batch.weight,
            label=batch.label,
            activation='sigmoid' if self.use_sigmoid else 'softmax',
            temperature=self.temperature,
        )
        return [entropy]

    def finish(self, partials: Sequence[Tensor]) -> Tensor:
        """Their difference's mean."""
        return divergence_of(partials, self.temperature)


class TeacherLoss(nn.Module, ABC):
    """A loss of logits against a teacher's logits; a subclass gives its formula.

    Args:
        temperature: > 0, divides both sides' logits.
        loss_weight: >= 0, multiplies the loss.
        loss_name: the key in the log; must contain 'loss'.
    """

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

    @not_compiled
    def forward(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """The loss, a scalar in the logits' type, float32 at least.

        Args:
            logits: (N,C,H,W) or (N,C,P), any float.
            teacher_logits: of the same shape, any float; a constant.
            weight: (N,H,W) or (N,P), >= 0; 0 takes a pixel out.
        """
        check_logits(logits, weight, use_sigmoid=True)  # a single channel is fine
        check_teacher(logits, teacher_logits)
        with torch.autocast(logits.device.type, enabled=False):
            value = self.measure(logits, teacher_logits, weight)
        return self.loss_weight * value.to(working_dtype(logits.dtype))

    @abstractmethod
    def measure(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None
    ) -> Tensor:
        """The unweighted loss, a scalar."""


@MODELS.register_module
class CWDLoss(TeacherLoss):
    """CWD: KL between the maps that each channel makes over an image's pixels.

    The formula is that of `functional.distillation.channel_wise_divergence`, the
    defaults those of its authors for logits.

    Args:
        temperature, loss_weight, loss_name: as in `TeacherLoss`.

    >>> logits = torch.randn(1, 3, 4, 4)
    >>> round(CWDLoss()(logits, logits).item(), 4)
    0.0
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

    def measure(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None
    ) -> Tensor:
        """The unweighted divergence."""
        return channel_wise_divergence(
            logits, teacher_logits, weight, temperature=self.temperature
        )


@MODELS.register_module
class DISTLoss(TeacherLoss):
    """DIST: 1 - correlation over a pixel's classes, and over a class's pixels.

    The formulas are those of `functional.distillation.correlation_losses`. On several
    GPUs each takes the pixels of its own batch.

    Args:
        beta: >= 0, the weight of the first.
        gamma: >= 0, that of the second.
        temperature, loss_weight, loss_name: as in `TeacherLoss`.

    Raises:
        ValueError: at the call, of logits with a single channel.

    >>> logits = torch.randn(1, 3, 4, 4)
    >>> abs(round(DISTLoss()(logits, logits).item(), 4))
    0.0
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

    def measure(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None
    ) -> Tensor:
        """The two terms, weighted by beta and gamma."""
        if logits.shape[1] == 1:
            raise ValueError(
                '`logits` must have at least 2 channels: DISTLoss is a correlation '
                f'over classes, got {tuple(logits.shape)}'
            )
        inter, intra = correlation_losses(
            logits, teacher_logits, weight, temperature=self.temperature
        )
        return self.beta * inter + self.gamma * intra
