"""The losses of a head that has a label and a teacher."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..functional.targets import IGNORE_INDEX, valid_mask
from ..registry import MODELS
from .base import SoftLabelLoss
from .batch import Batch, read_teacher
from .compound import CompoundLoss, read_parts
from .distillation import TeacherLoss


class TaughtLoss(CompoundLoss):
    """A head's losses against the label, and others against a teacher's logits.

    A head calls it as it calls a CompoundLoss, with the label alone; the teacher's
    logits are lent to it for a step by `taught_by`. Losses of ours that agree on
    activation and temperature read the student's logits once, for label and teacher.
    Pixels that the label ignores, or a sampler's weight leaves out, count nowhere.

    Args:
        loss_decode: the head's own losses: one, a list or a CompoundLoss.
        teacher_losses: configs of SoftLabelLoss or TeacherLoss subclasses.

    Raises:
        TypeError: a teacher loss is of another kind.
        ValueError: there is none, or it smooths labels.

    >>> import torch
    >>> kl, jml = dict(type='KLDistillationLoss'), dict(type='JaccardMetricLoss')
    >>> loss = TaughtLoss(MODELS.build(dict(type='SoftCrossEntropyLoss')), [kl, jml])
    >>> logits, label = torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4).long()
    >>> with loss.taught_by(logits):
    ...     {part.loss_name: round(part(logits, label).item(), 3) for part in loss}
    {'loss_ce': 0.693, 'loss_kl': 0.0, 'loss_jml': 0.0}
    """

    def __init__(self, loss_decode: nn.Module, teacher_losses: Sequence[Any]) -> None:
        if not teacher_losses:
            raise ValueError(
                '`distill_losses` must be at least one loss config, got '
                f'{teacher_losses!r}'
            )
        label_losses = _parts(loss_decode)
        built = [MODELS.build(loss) for loss in teacher_losses]
        for loss in built:
            if not isinstance(loss, SoftLabelLoss | TeacherLoss):
                raise TypeError(
                    '`distill_losses` must be losses of mmseg_jml, which leave ignored '
                    'pixels out (KLDistillationLoss, JaccardMetricLoss, '
                    'SoftCrossEntropyLoss, CWDLoss, DISTLoss, or a '
                    f'subclass of TeacherLoss), got {type(loss).__name__}'
                )
            if getattr(loss, 'label_smoothing', None) is not None:
                raise ValueError(
                    '`label_smoothing` must be None in `distill_losses`: a teacher is '
                    f'no hard label, got {loss.label_smoothing!r}'
                )
        super().__init__(losses=[*label_losses, *built])
        self.label_losses = len(label_losses)
        self.teacher_logits: Tensor | None = None
        self.asked = False

    @contextmanager
    def taught_by(self, teacher_logits: Tensor) -> Iterator[None]:
        """Hold a teacher's logits, of the shape of the student's, for one step.

        Raises:
            RuntimeError: the head never asked for all its losses.
        """
        self.teacher_logits, self.asked = teacher_logits, False
        try:
            yield
        finally:
            self.teacher_logits = None
        if not self.asked:
            raise RuntimeError(
                'the head did not go through the list of its losses and its student '
                'learnt nothing from the teacher: heads that take losses one by one '
                '(DDRHead, PIDHead) cannot be distilled'
            )

    def read_all(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None,
        ignore_index: int | None,
    ) -> list[Batch | Tensor]:
        """As CompoundLoss, with the teacher's logits for the parts that follow."""
        teacher_logits = self.teacher_logits
        if teacher_logits is None:
            raise RuntimeError(
                'there is no teacher outside of the `loss` of a distilling segmentor'
            )
        self.asked = True
        losses = list(self._losses())
        given = (logits, target, weight, ignore_index)
        found = read_parts(losses[: self.label_losses], *given)
        taught = losses[self.label_losses :]
        return found + [_read(loss, teacher_logits, *given) for loss in taught]

    def compute_one(self, index: int, *inputs: Any) -> Tensor:
        """The loss of one part."""
        return self.compute_all(*inputs)[index]


def _parts(loss_decode: nn.Module) -> list[nn.Module]:
    """The losses that a head would call; the list itself would hand out bound ones."""
    if isinstance(loss_decode, nn.ModuleList):
        return list(loss_decode._modules.values())
    return [loss_decode]


def _read(
    loss: nn.Module,
    teacher_logits: Tensor,
    logits: Tensor,
    label: Tensor,
    weight: Tensor | None,
    ignore_index: int | None,
) -> Batch | Tensor:
    """What a loss against the teacher reads; a TeacherLoss gives its value."""
    if isinstance(loss, SoftLabelLoss):
        options = loss.reading(ignore_index)
        return read_teacher(logits, teacher_logits, label, weight, **options)
    valid = valid_mask(label, IGNORE_INDEX if ignore_index is None else ignore_index)
    weight = valid.float() if weight is None else valid * weight
    value: Tensor = loss(logits, teacher_logits, weight=weight)
    return value
