"""Segmentors that learn from labels and from a teacher."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from mmseg.models import CascadeEncoderDecoder, EncoderDecoder
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..losses import CompoundLoss
from .teacher import Teacher


class _Distillation:
    """What makes a segmentor a student: to be mixed into one.

    Each head's losses become one `CompoundLoss` of its own losses and the distillation
    losses, which the head calls as it always does: with its resized logits, the label
    and the weight of its sampler.
    """

    teacher: Teacher

    def __init__(
        self,
        *,
        teacher: str | Mapping[str, Any],
        teacher_checkpoint: str,
        distill_losses: Sequence[Any] = (),
        auxiliary_distill_losses: Sequence[Any] = (),
        **student: Any,
    ) -> None:
        super().__init__(**student)
        self.teacher = Teacher(teacher, teacher_checkpoint)
        heads = _as_list(self.decode_head)
        auxiliary = heads[:-1]
        if self.with_auxiliary_head:
            auxiliary += _as_list(self.auxiliary_head)
        if not (distill_losses or auxiliary_distill_losses):
            raise ValueError(
                '`distill_losses` must be a list of at least one loss config, got '
                f'{distill_losses!r}'
            )
        if auxiliary_distill_losses and not auxiliary:
            raise ValueError(
                '`auxiliary_distill_losses` need an auxiliary head, and the student '
                'has none'
            )
        _teach('distill_losses', distill_losses, heads[-1:])
        _teach('auxiliary_distill_losses', auxiliary_distill_losses, auxiliary)

    def init_weights(self) -> None:
        """Initialize the student and build the teacher, which is loaded as it is."""
        super().init_weights()
        self.teacher.build(self)

    def loss(self, inputs: Tensor, data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """The losses of every head, from one evaluation of the teacher."""
        size = data_samples[0].gt_sem_seg.shape
        teacher_logits = self.teacher(self, inputs, size)
        with ExitStack() as step:
            for module in self.modules():
                if isinstance(module, CompoundLoss):
                    step.enter_context(module.taught_by(teacher_logits))
            return super().loss(inputs, data_samples)


@MODELS.register_module()
class DistillationEncoderDecoder(_Distillation, EncoderDecoder):
    """An EncoderDecoder that learns from a teacher too; its checkpoint is a plain one.

    The teacher is frozen, evaluated once a step, and hidden: the keys of the state dict
    are those of the same student as an EncoderDecoder, which tests, exports and serves
    the checkpoint. Nothing but training looks for the teacher's files. Both see the
    same normalized pictures; the teacher's logits are resized to the label as its own
    head resizes, so that its stride and align_corners are free.

    Args:
        teacher: a config's path (from the working folder, or else in the shipped tree)
            or the config of its model; one without a `data_preprocessor` takes the
            student's pictures as they are.
        teacher_checkpoint: a file or URL, of exactly that model.
        distill_losses: configs of the losses between the decode head and the teacher,
            as in `CompoundLoss`.
        auxiliary_distill_losses: the same for each auxiliary head.
        **student: the options of EncoderDecoder, by keyword.
    """


@MODELS.register_module()
class DistillationCascadeEncoderDecoder(_Distillation, CascadeEncoderDecoder):
    """A CascadeEncoderDecoder that learns from a teacher too.

    As `DistillationEncoderDecoder`. `distill_losses` are the last stage's; the stages
    before it, as the auxiliary heads, have `auxiliary_distill_losses`.
    """


def _as_list(heads: nn.Module) -> list[nn.Module]:
    return list(heads) if isinstance(heads, nn.ModuleList) else [heads]


def _teach(name: str, configs: Sequence[Any], heads: Sequence[nn.Module]) -> None:
    """Join the losses to those that each head has."""
    if isinstance(configs, Mapping):
        configs = [configs]
    if not configs:
        return
    for head in heads:
        # Others call their losses on other tensors, or pick them by their place.
        if type(head).loss_by_feat is not BaseDecodeHead.loss_by_feat:
            raise ValueError(
                f'`{name}` need a head that keeps the `loss_by_feat` of '
                f'BaseDecodeHead, got {type(head).__name__}'
            )
        own = head.loss_decode
        if isinstance(own, CompoundLoss):
            own = list(own.losses())
        head.loss_decode = CompoundLoss(
            losses=_as_list(own) if isinstance(own, nn.Module) else own,
            distill_losses=configs,
        )
