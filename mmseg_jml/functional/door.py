"""The door of the public functions: tensors are checked once, before they are used.

Shapes and types are always checked. Values (ids, weights, ranges) are checked on the
CPU only: on a GPU, looking at them would wait for it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .checks import check_number
from .one_pass import Needs, Target
from .targets import valid_mask
from .tensors import on_cpu, working_dtype

# Rounding may carry a half-precision softmax a little over 1.
ROUNDING = 1e-3


def read_soft_or_hard(
    values: Tensor,
    target: Tensor,
    weight: Tensor | None,
    *,
    needs: Needs,
    ignore_index: int,
    name: str = 'probs',
    class_weight: Tensor | None = None,
) -> Target:
    """Check the arguments of a public function and make its target of a pass.

    `values` are the logits or the probabilities (N,C,*), as `name` says; `target` is
    hard, integer (N,*), or soft, floating (N,C,*). Ignored pixels of a hard label count
    nowhere.

    Raises:
        TypeError, ValueError: an argument does not fit the others.
    """
    check_values(values, name)
    check_weight(weight, values)
    target = read_target(target, values, name, weight)
    if name == 'probs':
        counted = None if weight is None else weight > 0
        if not target.is_floating_point():
            valid = valid_mask(target, ignore_index)
            counted = valid if counted is None else counted & valid
        check_probs(values, counted)
    if target.is_floating_point():
        return Target(needs, probs=target, class_weight=class_weight)
    if values.shape[1] == 1:
        check_binary_ids(target, ignore_index)
    else:
        check_ids(target, values.shape[1], ignore_index)
    return Target(
        needs, label=target, ignore_index=ignore_index, class_weight=class_weight
    )


def read_class_weight(
    class_weight: Tensor | Sequence[float] | None, values: Tensor
) -> Tensor | None:
    """Class weights (C,) on the device of the values (N,C,*), or None.

    Raises:
        TypeError, ValueError: not one finite number >= 0 for each class.
    """
    weights = class_weight_tensor(class_weight)
    check_class_weight(weights, values.shape[1])
    return None if weights is None else weights.to(values.device)


def class_weight_tensor(class_weight: object) -> Tensor | None:
    """Class weights (C,) >= 0 from a list of numbers or a tensor, or None."""
    if class_weight is None:
        return None
    if isinstance(class_weight, Tensor):
        return _weights_of_tensor(class_weight)
    if isinstance(class_weight, str) or not isinstance(class_weight, Sequence):
        raise TypeError(
            '`class_weight` must be None or a list of numbers or a tensor (C,), got '
            f'{class_weight!r}'
        )
    for value in class_weight:
        check_number('class_weight', value, 0)
    return torch.tensor([float(value) for value in class_weight])


def _weights_of_tensor(weights: Tensor) -> Tensor:
    if weights.ndim != 1 or weights.is_complex() or weights.dtype == torch.bool:
        raise ValueError(
            '`class_weight` must be a tensor of numbers (C,), got '
            f'{weights.dtype} {tuple(weights.shape)}'
        )
    if on_cpu(weights):
        for value in weights.tolist():
            check_number('class_weight', value, 0)
    weights = weights.detach()
    return weights if weights.is_floating_point() else weights.float()


def check_class_weight(class_weight: Tensor | None, num_classes: int) -> None:
    """Refuse weights that are not one for each class."""
    if class_weight is not None and len(class_weight) != num_classes == 1:
        raise ValueError(
            '`class_weight` must be one number for a head of one channel, by which its '
            f'foreground pixels count, got {len(class_weight)} numbers'
        )
    if class_weight is not None and len(class_weight) != num_classes:
        raise ValueError(
            f'`class_weight` must have one number for each class, {num_classes}, got '
            f'{len(class_weight)}'
        )


def check_probs(probs: Tensor, counted: Tensor | None = None) -> None:
    """Refuse what cannot be probabilities where `counted` (N,*) holds.

    NaN passes, so that a diverged network gives NaN.
    """
    if probs.numel() == 0 or not on_cpu(probs):
        return
    low, high = (value.item() for value in probs.detach().aminmax())
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return
    wrong = (probs < -ROUNDING) | (probs > 1 + ROUNDING)
    wrong = wrong if counted is None else wrong & counted.unsqueeze(1)
    if wrong.any():
        low, high = (value.item() for value in probs.detach()[wrong].aminmax())
        raise ValueError(
            '`probs` must be in [0, 1], got values outside of it, from '
            f'{low:g} to {high:g}; turn logits into probabilities with '
            '`logits.softmax(1)` or `logits.sigmoid()`'
        )


def check_some_class(target: Tensor, weight: Tensor | None) -> None:
    """Refuse a soft target (N,C,*) of zeros alone at a pixel that counts.

    With one channel 0 is a probability like any other.
    """
    if not on_cpu(target) or target.shape[1] == 1:
        return
    empty = target.amax(1) <= 0
    empty = empty if weight is None else empty & (weight > 0)
    if empty.any():
        raise ValueError(
            '`target` must have a class at each pixel that counts, got zeros alone at '
            f'{int(empty.sum())} pixels; give ignored pixels a `weight` of 0, or give '
            'the integer label itself'
        )


def check_two_sides(
    logits: Tensor, teacher_logits: Tensor, weight: Tensor | None, temperature: float
) -> None:
    """Refuse a student's and a teacher's logits that cannot be compared."""
    check_number('temperature', temperature, 0, open_low=True)
    check_values(logits, 'logits')
    check_teacher(logits, teacher_logits)
    check_weight(weight, logits)


def check_values(values: Tensor, name: str) -> None:
    """Refuse logits or probabilities of a wrong type or shape."""
    if not values.is_floating_point():
        raise TypeError(f'`{name}` must be floating, got {values.dtype}')
    if values.ndim < 3:
        raise ValueError(
            f'`{name}` must be (N,C,H,W) or (N,C,P), got {tuple(values.shape)}'
        )


def check_weight(weight: Tensor | None, values: Tensor) -> None:
    """Refuse weights of the pixels that are not of their shape, or negative."""
    if weight is None:
        return
    pixels = (values.shape[0], *values.shape[2:])
    if weight.shape != pixels:
        raise ValueError(f'`weight` must be {pixels}, got {tuple(weight.shape)}')
    if on_cpu(weight) and not (weight >= 0).all():
        raise ValueError(f'`weight` must be >= 0, got {weight.min().item():g}')


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
    check_values(logits, 'logits')
    if logits.shape[1] == 1 and not use_sigmoid:
        raise ValueError(
            '`logits` must have at least 2 channels with softmax, got '
            f'{tuple(logits.shape)}; for a binary head set use_sigmoid=True'
        )
    check_weight(weight, logits)


def read_target(
    target: Tensor,
    logits: Tensor,
    name: str = 'logits',
    weight: Tensor | None = None,
) -> Tensor:
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
                f'`target` must have the shape of the {name} when it is soft '
                f'(floating), {tuple(logits.shape)}, got {tuple(target.shape)}; class '
                'ids must be integers: `target.long()`'
            )
        if on_cpu(target):
            _check_range(target, weight)
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


def check_binary_ids(label: Tensor, ignore_index: int) -> None:
    """Refuse ids of one channel, which are compared and not looked up."""
    if on_cpu(label):
        check_ids(label, 1, ignore_index)
    else:
        torch._assert_async(~_wrong_ids(label, 2, ignore_index).any())


def _wrong_ids(label: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    return ((label < 0) | (label >= num_classes)) & valid_mask(label, ignore_index)


def _check_range(target: Tensor, weight: Tensor | None) -> None:
    """Refuse soft targets outside of [0,1], NaN too, at pixels that count."""
    if target.numel() == 0:
        return
    low, high = (value.item() for value in target.aminmax())
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return
    wrong = ~((target >= -ROUNDING) & (target <= 1 + ROUNDING))
    if weight is None or (wrong & (weight > 0).unsqueeze(1)).any():
        raise ValueError(
            f'`target` must be in [0, 1] when it is soft, got values from {low:g} to '
            f'{high:g}'
        )
