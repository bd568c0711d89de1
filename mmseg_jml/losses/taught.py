"""The losses of a head that has a label and a teacher."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from ..functional.door import read_target
from ..functional.targets import IGNORE_INDEX, valid_mask
from ..registry import MODELS
from .base import SoftLabelLoss, compute
from .batch import Batch, read_teacher
from .compound import CompoundLoss
from .distillation import TeacherLoss
from .turns import Turn, taking


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
        label_losses = (
            list(loss_decode)
            if isinstance(loss_decode, nn.ModuleList)
            else [loss_decode]
        )
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
        self.teacher_losses = built
        self.teacher_logits: Tensor | None = None
        self.asked = False

    def __setitem__(self, index: int, part: nn.Module) -> None:
        """Put a loss against the label in the place of another.

        Raises:
            ValueError: the one that is there is compared with the teacher.
        """
        if self.is_taught(self[index]):
            raise ValueError(
                f'the loss at place {index} is compared with the teacher and cannot be '
                'replaced by assignment: give the loss that you want in '
                '`distill_losses`'
            )
        super().__setitem__(index, part)

    @contextmanager
    def taught_by(self, teacher_logits: Tensor) -> Iterator[None]:
        """Hold a teacher's logits, of the shape of the student's, for one step.

        Raises:
            RuntimeError: the head never asked for all its losses.
        """
        self.teacher_logits, self.asked = teacher_logits, False
        with ExitStack() as stack:
            stack.callback(setattr, self, 'teacher_logits', None)
            for index, part in enumerate(self._modules.values()):
                if self.is_taught(part):
                    turn = Turn(part, index, self.compute_one)
                    stack.enter_context(taking(turn))
            yield
        if not self.asked:
            raise RuntimeError(
                'the head did not go through the list of its losses and its student '
                'learnt nothing from the teacher: heads that take losses one by one '
                '(DDRHead, PIDHead) cannot be distilled'
            )

    def is_taught(self, part: nn.Module) -> bool:
        """Whether a part is compared with the teacher."""
        return any(part is each for each in self.teacher_losses)

    def is_shared(self, part: nn.Module) -> bool:
        """Whether a part is computed with others, or with the teacher's logits."""
        return self.is_taught(part) or super().is_shared(part)

    def compute_all(self, *inputs: Any) -> dict[int, Tensor]:
        """As CompoundLoss, with the teacher's logits for the parts that need them."""
        self._teacher()
        return super().compute_all(*inputs)

    def read(
        self,
        loss: SoftLabelLoss,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None,
        options: dict[str, Any],
    ) -> Batch:
        """What a loss has to compute against the label or the teacher."""
        if not self.is_taught(loss):
            return super().read(loss, logits, target, weight, options)
        return read_teacher(logits, self._teacher(), target, weight, **options)

    def compute_one(self, index: int, *inputs: Any) -> Tensor:
        """The loss of one part alone."""
        part: Any = self[index]
        if not self.is_taught(part):
            return super().compute_one(index, *inputs)
        logits, label, weight, ignore_index = inputs
        teacher_logits = self._teacher()
        if isinstance(part, SoftLabelLoss):
            options = part.reading(ignore_index)
            batch = read_teacher(logits, teacher_logits, label, weight, **options)
            return compute([part], [batch])[0]
        label = read_target(label, logits)
        if not label.is_floating_point():
            ignore_index = IGNORE_INDEX if ignore_index is None else ignore_index
            valid = valid_mask(label, ignore_index)
            weight = valid.float() if weight is None else valid * weight
        value: Tensor = type(part).forward(part, logits, teacher_logits, weight)
        return value

    def _teacher(self) -> Tensor:
        """The teacher's logits of this step."""
        if self.teacher_logits is None:
            raise RuntimeError(
                'there is no teacher outside of the `loss` of a distilling segmentor'
            )
        self.asked = True
        return self.teacher_logits
