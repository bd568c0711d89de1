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
                    '`loss_decode` of its own, but computes its losses in parts of '
                    'itself. Use a head that predicts the logits of pixels, such as '
                    'FCNHead or ASPPHead'
                )
            head.loss_decode = TaughtLoss(head.loss_decode, losses)

    def init_weights(self) -> None:
        """Initialize the student; a teacher that cannot be loaded is told before."""
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

    Its checkpoints are the student's alone, key for key; testing and exporting need no
    file of the teacher. That is built in `init_weights` or at the first loss, stays in
    `eval()` and outside of everything that walks over the modules, and its logits, of
    the main head, are what every head of the student is compared with.

    Args:
        teacher: the path of a config, a file or one of the shipped tree, or the config
            of a segmentor: any with as many classes.
        teacher_checkpoint: its weights, a file or an address.
        distill_losses: the config of a loss against the teacher, or several, for the
            decode head, beside its own `loss_decode`: those that TaughtLoss takes. Give
            each a `loss_name` of its own, by which it is logged.
        auxiliary_distill_losses: the same for each auxiliary head; None for none.
        **kwargs: As in EncoderDecoder.

    Raises:
        TypeError: an argument is of another type, a loss of another kind, or a head
            has no losses of its own (K-Net).
        ValueError: losses for auxiliary heads that are not there.
    """


@MODELS.register_module()
class DistillationCascadeEncoderDecoder(_Distillation, CascadeEncoderDecoder):
    """A CascadeEncoderDecoder that also learns from a frozen teacher.

    As DistillationEncoderDecoder; `distill_losses` are for the last stage, and
    `auxiliary_distill_losses` for the stages before it and for auxiliary heads.
    """


def _listed(head: nn.Module) -> list[nn.Module]:
    return list(head) if isinstance(head, nn.ModuleList) else [head]
