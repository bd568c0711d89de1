"""The door of the losses: what a head hands over, checked and made ready once."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..functional.one_pass import Target
from ..functional.targets import valid_mask
from ..functional.tensors import on_cpu, working_dtype
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
        if on_cpu(target):
            check_ids(target, num_classes, ignore_index)
        else:
            torch._assert_async(~_wrong_ids(target, 2, ignore_index).any())
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
    check_logits(logits, weight, use_sigmoid)
    hard = None
    if label is not None:
        label = read_target(label, logits)
        if not label.is_floating_point():
            hard = Target(label=label, ignore_index=ignore_index)
    target = Target(logits=teacher_logits, ignore_index=ignore_index)
    return Batch(logits, target, weight, hard)


def check_teacher(logits: Tensor, teacher_logits: Tensor) -> None:
    """Refuse a teacher's logits of another shape or no floating type."""
    if not teacher_logits.is_floating_point():
        raise TypeError(
            f'`teacher_logits` must be floating, got {teacher_logits.dtype}'
        )
    if teacher_logits.shape != logits.shape:
        raise ValueError(
            "`teacher_logits` must have the shape of the student's, "
            f'{tuple(logits.shape)}, got {tuple(teacher_logits.shape)}'
        )


def check_logits(logits: Tensor, weight: Tensor | None, use_sigmoid: bool) -> None:
    """Refuse logits and weight that do not fit together."""
    if not logits.is_floating_point():
        raise TypeError(f'`logits` must be floating, got {logits.dtype}')
    if logits.ndim < 3:
        raise ValueError(
            f'`logits` must be (N,C,H,W) or (N,C,P), got {tuple(logits.shape)}'
        )
    if logits.shape[1] == 1 and not use_sigmoid:
        raise ValueError(
            '`logits` must have at least 2 channels with softmax, got '
            f'{tuple(logits.shape)}; for a binary head set use_sigmoid=True'
        )
    pixels = (logits.shape[0], *logits.shape[2:])
    if weight is not None and weight.shape != pixels:
        raise ValueError(f'`weight` must be {pixels}, got {tuple(weight.shape)}')
    if weight is not None and on_cpu(weight) and not (weight >= 0).all():
        raise ValueError(f'`weight` must be >= 0, got {weight.min().item():g}')


def read_target(target: Tensor, logits: Tensor) -> Tensor:
    """A hard target, int64 (N,*), or a soft one, floating (N,C,*).

    Integers and bools of the shape (N,*) or (N,1,*) are hard, also for a head of one
    channel, whose ids are 0, 1 and the `ignore_index`. Those of the shape (N,C,*), of
    several classes, are one mask for each class, of 0 and 1, and make a soft target.

    Raises:
        TypeError, ValueError: the type or the shape fits none of these.
    """
    n, _, *space = logits.shape
    if target.is_complex():
        raise TypeError(f'`target` must be no complex tensor, got {target.dtype}')
    if target.is_floating_point():
        if target.shape != logits.shape:
            raise ValueError(
                '`target` must have the shape of the logits when it is soft (floating),'
                f' {tuple(logits.shape)}, got {tuple(target.shape)}; class ids must be '
                'integers: `target.long()`'
            )
        if on_cpu(target):
            _check_range(target)
        return target
    if target.shape == (n, *space):
        return target.long()  # a narrow type would wrap the ignore_index
    if target.shape == (n, 1, *space):
        return target.squeeze(1).long()
    if target.shape == logits.shape:
        return _masks(target, logits)
    raise ValueError(
        f'`target` must be {(n, *space)} when it is hard (integer), or have the shape '
        f'of the logits when it is one mask for each class, {tuple(logits.shape)}, got '
        f'{tuple(target.shape)}'
    )


def _masks(target: Tensor, logits: Tensor) -> Tensor:
    """Masks of the classes (N,C,*), integer or bool, as a soft target."""
    wrong = (target != 0) & (target != 1)
    if not on_cpu(target):
        torch._assert_async(~wrong.any())
    elif wrong.any():
        found = sorted(set(target[wrong].tolist()))[:10]
        raise ValueError(
            '`target` must be 0 or 1 when it is one mask for each class, of the shape '
            f'of the logits, got {found}; give pixels that do not count as `weight` 0'
        )
    return target.to(working_dtype(logits.dtype))


def check_ids(label: Tensor, num_classes: int, ignore_index: int) -> None:
    """Refuse ids outside of the classes, on the CPU.

    Six passes over the label: called before a look-up that would not notice, and after
    one that failed, to say which ids these were.
    """
    if not on_cpu(label):
        return
    ids = max(num_classes, 2)
    wrong = _wrong_ids(label, ids, ignore_index)
    if wrong.any():
        raise ValueError(
            f'`target` ids must be in [0, {ids}) or ignore_index={ignore_index}, got '
            f'{sorted(set(label[wrong].tolist()))[:10]}'
        )


def _wrong_ids(label: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    return ((label < 0) | (label >= num_classes)) & valid_mask(label, ignore_index)


def _check_range(target: Tensor) -> None:
    if target.numel() == 0:
        return
    low, high = (value.item() for value in target.aminmax())
    # Rounding may carry a half-precision softmax a little over 1.
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise ValueError(
            f'`target` must be in [0, 1] when it is soft, got values from {low:g} to '
            f'{high:g}'
        )


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
