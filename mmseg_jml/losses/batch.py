"""What a head hands over to a loss, checked by `functional.door` and read once."""

from typing import NamedTuple

from torch import Tensor

from ..functional.door import (
    check_binary_ids,
    check_ids,
    check_logits,
    check_teacher,
    read_target,
)
from ..functional.one_pass import Target, refuse_transforms
from ..functional.targets import valid_mask
from ..labels import LabelTransform


class Batch(NamedTuple):
    """What has passed the door: logits (N,C,*), what they are compared with, weight.

    Beside a teacher's logits stands the hard label whose ignored pixels do not count.
    """

    logits: Tensor
    target: Target
    weight: Tensor | None
    label: Target | None = None


def read_batch(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    *,
    ignore_index: int,
    use_sigmoid: bool,
    label_smoothing: LabelTransform | None,
) -> Batch:
    """Check what came and say what the logits are compared with.

    `target` is what `read_target` takes. Shapes and types are always checked; label
    ids, weights and the range of soft targets only on the CPU, where that costs no
    synchronisation. Ids that the pass looks up are checked by that look-up (see
    `check_ids`); on a GPU it ends in a device-side assertion, as that of
    `torch.nn.functional.cross_entropy` does.

    Raises:
        TypeError: logits or target of a wrong dtype.
        ValueError: shapes that do not fit, wrong ids, a single softmax channel.
    """
    refuse_transforms()
    check_logits(logits, weight, use_sigmoid)
    target = read_target(target, logits)
    if target.is_floating_point():
        if label_smoothing is not None:
            raise ValueError(
                f'`label_smoothing` makes soft targets of hard labels, got '
                f'{label_smoothing!r} and a target that is soft already'
            )
        return Batch(logits, Target(probs=target), weight)
    num_classes = logits.shape[1]
    if num_classes == 1:  # a binary label is compared, not looked up
        check_binary_ids(target, ignore_index)
    hard = Target(label=target, ignore_index=ignore_index)
    if label_smoothing is None:
        return Batch(logits, hard, weight)
    if hasattr(label_smoothing, 'epsilon_map'):
        epsilon = label_smoothing.epsilon_map(target, ignore_index)
        return Batch(logits, hard._replace(epsilon=epsilon), weight)
    check_ids(target, num_classes, ignore_index)
    # A binary head has one channel, the foreground of two classes.
    made = label_smoothing(target, max(num_classes, 2), ignore_index)
    made = made[:, 1:] if num_classes == 1 else made
    valid = valid_mask(target, ignore_index).to(made.dtype)
    return Batch(
        logits, Target(probs=made), valid if weight is None else valid * weight
    )


def read_teacher(
    logits: Tensor,
    teacher_logits: Tensor,
    label: Tensor | None,
    weight: Tensor | None,
    *,
    ignore_index: int,
    use_sigmoid: bool,
    label_smoothing: LabelTransform | None,
) -> Batch:
    """Check what came and compare the logits with a teacher's (N,C,*).

    Of the hard `label` (N,*) only the ignored pixels matter. The options are those of
    `read_batch`; a teacher is no label that could be smoothed.

    Raises:
        TypeError, ValueError: as `read_batch` and `check_teacher`.
    """
    if label_smoothing is not None:
        raise ValueError(
            '`label_smoothing` must be None against a teacher, which is no hard label, '
            f'got {label_smoothing!r}'
        )
    check_teacher(logits, teacher_logits)
    refuse_transforms()
    check_logits(logits, weight, use_sigmoid)
    hard = None
    if label is not None:
        label = read_target(label, logits)
        if not label.is_floating_point():
            hard = Target(label=label, ignore_index=ignore_index)
    target = Target(logits=teacher_logits, ignore_index=ignore_index)
    return Batch(logits, target, weight, hard)


def refuse_per_pixel(
    name: str, avg_factor: float | None, reduction_override: str | None
) -> None:
    """Say why a loss over sets of pixels has no loss of one pixel, nor of one query.

    Raises:
        ValueError: one of the arguments is not None.
    """
    if reduction_override is not None:
        raise ValueError(
            f'`reduction_override` must be None, got {reduction_override!r}: {name} '
            'has one value a batch, none a pixel. A sampler that ranks pixels by their '
            'loss (OHEMPixelSampler without `thresh`) needs it, or another loss'
        )
    if avg_factor is not None:
        raise ValueError(
            f'`avg_factor` must be None, got {avg_factor!r}: {name} divides by its own '
            'valid pixels or active classes. Set-prediction heads (MaskFormer, '
            'Mask2Former, SAN), which pass one, are not supported'
        )
