"""Losses of a student's logits against a teacher's that are no sums over classes."""

from abc import ABC, abstractmethod

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..functional.checks import check_number
from ..functional.chunks import working_dtype
from ..functional.distillation import channel_wise_divergence, correlation_losses
from .batch import check_teacher
from .options import check_loss_name


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

    def forward(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """The loss, a scalar in the logits' type, float32 at least.

        Args:
            logits: (N,C,H,W) or (N,C,P), any float.
            teacher_logits: of the same shape, any float; a constant.
            weight: (N,H,W) or (N,P), >= 0; 0 takes a pixel out.
        """
        check_teacher(logits, teacher_logits)
        with torch.autocast(logits.device.type, enabled=False):
            value = self.measure(logits, teacher_logits, weight)
        return self.loss_weight * value.to(working_dtype(logits.dtype))

    @abstractmethod
    def measure(
        self, logits: Tensor, teacher_logits: Tensor, weight: Tensor | None
    ) -> Tensor:
        """The unweighted loss, a scalar."""


@MODELS.register_module()
class ChannelWiseDivergenceLoss(TeacherLoss):
    """CWD: KL between the maps that each channel makes over an image's pixels.

    The formula is that of `functional.distillation.channel_wise_divergence`, the
    defaults those of its authors for logits.

    Args:
        temperature, loss_weight, loss_name: as in `TeacherLoss`.

    >>> logits = torch.randn(1, 3, 4, 4)
    >>> round(ChannelWiseDivergenceLoss()(logits, logits).item(), 4)
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


@MODELS.register_module()
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
