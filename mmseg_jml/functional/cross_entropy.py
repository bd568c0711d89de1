"""Cross-entropy and Kullback-Leibler divergence against a probability target."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .door import (
    check_logits,
    check_some_class,
    check_values,
    check_weight,
    read_class_weight,
    read_soft_or_hard,
    read_target,
)
from .one_pass import ClassSums, Needs, class_sums
from .one_pass.chunks import Activation
from .targets import IGNORE_INDEX

CROSS_ENTROPY: Needs = frozenset({'cross_entropy'})


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    class_weight: Tensor | Sequence[float] | None = None,
    sigmoid: bool = False,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """The weighted mean of the cross-entropy: sum w k l / sum w k, a float64 scalar.

    `logits` (N,C,*); `target` is hard, integer (N,*), whose pixels of `ignore_index` do
    not count, or soft, (N,C,*) in [0,1]; `weight` (N,*) >= 0 weights the pixels and
    `class_weight` (C,) >= 0 the classes. With softmax l = -sum_c y_c log p_c, and
    k = sum_c k_c y_c is the class weight of the pixel's own mixture; a pixel that
    counts must have a class. On a hard label this is
    `torch.nn.functional.cross_entropy`, whose `weight` is `class_weight` here.

    With `sigmoid` each channel is an element of its own,
    l = -k_c y_c log p_c - (1-y_c) log(1-p_c) and k = 1: the class weight is
    the `pos_weight` of `binary_cross_entropy_with_logits`, and no part of the mean's
    denominator. Only `logits` is differentiated. Without any weight the loss is
    a zero on the graph.

    Raises:
        TypeError, ValueError: an argument does not fit the others; values are checked
            on the CPU.

    >>> logits = torch.zeros(1, 2, 1)
    >>> round(cross_entropy(logits, torch.tensor([[[1.0], [0.0]]])).item(), 4)
    0.6931
    """
    if not target.is_floating_point():  # no label has one channel with softmax
        check_logits(logits, weight, sigmoid)
    asked = read_soft_or_hard(
        logits,
        target,
        weight,
        needs=CROSS_ENTROPY,
        ignore_index=ignore_index,
        name='logits',
        class_weight=read_class_weight(class_weight, logits),
    )
    if not sigmoid and asked.probs is not None:
        check_some_class(asked.probs, weight)
    activation: Activation = 'sigmoid' if sigmoid else 'softmax'
    (sums,) = class_sums(logits, [asked], weight, activation=activation)
    return cross_entropy_of(cross_entropy_partials(sums))


def cross_entropy_partials(sums: ClassSums) -> list[Tensor]:
    """What the images of this rank add: the weighted sum and its weight, float64."""
    return [sums.cross_entropy.sum(), sums.pixel_weight.sum()]


def cross_entropy_of(partials: Sequence[Tensor]) -> Tensor:
    """The mean from the partials, summed over ranks or not."""
    total, weight = partials
    return total / weight.where(weight > 0, 1.0)


def kl_divergence(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """The weighted mean of KL(target || softmax(logits)), a float64 scalar.

    Shapes, ranges and the empty case are those of `cross_entropy`, which it equals but
    for the target's own entropy: its gradient is the same, and it is 0 at p = y. Only
    `logits` is differentiated.

    >>> logits = torch.tensor([[[0.0], [1.0]]])
    >>> abs(kl_divergence(logits, logits.softmax(1)).item()) < 1e-6
    True
    """
    check_values(logits, 'logits')
    check_weight(weight, logits)
    target = read_target(target, logits, weight=weight).detach()
    if not target.is_floating_point():
        # A hard label has no entropy.
        return cross_entropy(logits, target, weight, ignore_index=ignore_index)
    surprise = torch.xlogy(target, target).sum(1)
    weight = torch.ones_like(surprise) if weight is None else weight
    entropy = [-(surprise * weight).sum(dtype=torch.float64), weight.double().sum()]
    return cross_entropy(logits, target, weight) - cross_entropy_of(entropy)
