"""Segmentors that learn from a label and from a frozen teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from mmseg.models import CascadeEncoderDecoder, EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..losses import TaughtLoss
from ..models.binary import drop_background_share
from .teacher import Teacher


class _Distillation:
    """What the student's class is extended by; see DistillationEncoderDecoder."""

    def __init__(
        self,
        *,
        teacher: str | Mapping[str, Any],
        teacher_checkpoint: str,
        distill_losses: Any,
        auxiliary_distill_losses: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.teacher = Teacher(teacher, teacher_checkpoint)
        main, others = self._heads()
        self._teach([main], distill_losses)
        if auxiliary_distill_losses is not None:
            if not others:
                raise ValueError(
                    '`auxiliary_distill_losses` must be None without an auxiliary '
                    f'head, got {auxiliary_distill_losses!r}'
                )
            self._teach(others, auxiliary_distill_losses)

    def _heads(self) -> tuple[nn.Module, list[nn.Module]]:
        """The head that predicts, and those that only help it to learn."""
        *earlier, main = _listed(self.decode_head)
        auxiliary = _listed(self.auxiliary_head) if self.with_auxiliary_head else []
        return main, [*earlier, *auxiliary]

    def _teach(self, heads: Sequence[nn.Module], losses: Any) -> None:
        losses = [losses] if isinstance(losses, Mapping) else losses
        for head in heads:
            if not isinstance(getattr(head, 'loss_decode', None), nn.Module):
                raise TypeError(
                    f'the student cannot be distilled: {type(head).__name__} has no '
                    '`loss_decode` of its own: its submodules compute the losses. '
                    'Use a head that predicts the logits of pixels, such as '
                    'FCNHead or ASPPHead'
                )
            head.loss_decode = TaughtLoss(head.loss_decode, losses)

    def init_weights(self) -> None:
        """Initialize the student, after checking that the teacher can be loaded."""
        self.teacher.build(self)
        super().init_weights()

    def loss(self, inputs: Tensor, data_samples: list[Any]) -> dict[str, Tensor]:
        """The losses of all heads; the teacher sees the batch once."""
        size = data_samples[0].gt_sem_seg.data.shape[-2:]
        logits = self.teacher.logits(self, inputs, size)
        with ExitStack() as lent:
            for module in self.modules():
                if isinstance(module, TaughtLoss):
                    lent.enter_context(module.taught_by(logits))
            losses = super().loss(inputs, data_samples)
        drop_background_share(self, losses)
        return losses


@MODELS.register_module()
class DistillationEncoderDecoder(_Distillation, EncoderDecoder):
    """An EncoderDecoder that also learns from a frozen teacher.

    Its checkpoints hold only the student, so that testing and exporting do not need the
    teacher's files. The teacher is built in `init_weights` or at the first loss, stays
    in `eval()`, and is not a submodule. Every head of the student is compared with the
    logits of the teacher's main head.

    Args:
        teacher: The config of a segmentor with the same number of classes, or the path
            of a config, which may be one of the shipped configs.
        teacher_checkpoint: The path or URL of the teacher's weights.
        distill_losses: The config of one or several losses against the teacher for the
            decode head, in addition to its `loss_decode`. They must be losses that
            TaughtLoss accepts. Give each a different `loss_name`, which is its name in
            the log.
        auxiliary_distill_losses: The same for each auxiliary head, or None.
        **kwargs: As in EncoderDecoder.

    Raises:
        TypeError: An argument has the wrong type, TaughtLoss does not accept a loss, or
            a head does not compute its own losses (K-Net).
        ValueError: There are losses for auxiliary heads, but no auxiliary heads.
    """


@MODELS.register_module()
class DistillationCascadeEncoderDecoder(_Distillation, CascadeEncoderDecoder):
    """A CascadeEncoderDecoder that also learns from a frozen teacher.

    The arguments are those of DistillationEncoderDecoder. `distill_losses` are used for
    the last stage, and `auxiliary_distill_losses` for the earlier stages and for
    auxiliary heads.
    """


def _listed(head: nn.Module) -> list[nn.Module]:
    return list(head) if isinstance(head, nn.ModuleList) else [head]
