"""Cross-entropy and Kullback-Leibler divergence against a probability target."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .one_pass import ClassSums, Needs, Target, class_sums
from .one_pass.chunks import Activation

CROSS_ENTROPY: Needs = frozenset({'cross_entropy'})


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    class_weight: Tensor | None = None,
    sigmoid: bool = False,
) -> Tensor:
    """The weighted mean of the cross-entropy: sum w k l / sum w k, a float64 scalar.

    `logits` (N,C,*), `target` (N,C,*) in [0,1], `weight` (N,*) >= 0, `class_weight`
    (C,) >= 0. With softmax l = -sum_c y_c log p_c and k = sum_c k_c y_c is the class
    weight of the pixel's own mixture. On hard targets this is
    `torch.nn.functional.cross_entropy` with `weight`. With `sigmoid` each channel is an
    element of its own, l = -k_c y_c log p_c - (1-y_c) log(1-p_c) and k = 1: the class
    weight is the `pos_weight` of `binary_cross_entropy_with_logits`, and no part of the
    mean's denominator. Only `logits` is differentiated. Without any weight the loss is
    a zero on the graph.

    >>> logits = torch.zeros(1, 2, 1)
    >>> round(cross_entropy(logits, torch.tensor([[[1.0], [0.0]]])).item(), 4)
    0.6931
    """
    asked = Target(CROSS_ENTROPY, probs=target, class_weight=class_weight)
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
    logits: Tensor, target: Tensor, weight: Tensor | None = None
) -> Tensor:
    """The weighted mean of KL(target || softmax(logits)), a float64 scalar.

    Shapes, ranges and the empty case are those of `cross_entropy`, which it equals but
    for the target's own entropy: its gradient is the same, and it is 0 at p = y. Only
    `logits` is differentiated.

    >>> logits = torch.tensor([[[0.0], [1.0]]])
    >>> abs(kl_divergence(logits, logits.softmax(1)).item()) < 1e-6
    True
    """
    target = target.detach()
    surprise = torch.xlogy(target, target).sum(1)
    weight = torch.ones_like(surprise) if weight is None else weight
    entropy = [-(surprise * weight).sum(dtype=torch.float64), weight.double().sum()]
    return cross_entropy(logits, target, weight) - cross_entropy_of(entropy)
