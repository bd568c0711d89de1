"""Any prediction against a target that has a value for each class."""

from collections.abc import Sequence
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ..boundary import smooth_target
from .chunks import (
    Activation,
    Chunk,
    Pixels,
    over_classes,
    step,
    sum_by_class,
    weighted_sums,
)


def densify(
    label: Tensor, epsilon: Tensor | None, like: Tensor, *, sigmoid: bool
) -> Tensor:
    """The target (C,G,L) of a chunk's label (G,L), of the shape and type of `like`."""
    if len(like) == 1:
        hard = (label == 1).unsqueeze(0).to(like)
    else:
        hard = torch.zeros_like(like).scatter_(0, label.unsqueeze(0), 1)
    if epsilon is None:
        return hard
    return smooth_target(hard.unsqueeze(0), epsilon.unsqueeze(0), sigmoid)[0]


class DenseChunk:
    """The target of one chunk.

    Args:
        chunk: the prediction.
        target: (C,G,L), 0 at the pixels that do not count.
        pixels: how much each pixel counts.
        class_weight: (C,1) or None, of the cross-entropy.
        activation: of the prediction.
    """

    def __init__(
        self,
        chunk: Chunk,
        target: Tensor,
        pixels: Pixels,
        class_weight: Tensor | None,
        activation: Activation,
    ) -> None:
        self.chunk = chunk
        self.values = target
        self.pixels = pixels
        self.weight = pixels.weight
        self.class_weight = class_weight
        self.activation = activation

    def minimum(self) -> Tensor:
        """Sum w min(p,y), float64 (C,G) as all the sums."""
        return weighted_sums(torch.minimum(self.chunk.probs, self.values), self.weight)

    def product(self) -> Tensor:
        """Sum w p y."""
        return weighted_sums(self.chunk.probs * self.values, self.weight)

    def target(self) -> Tensor:
        """Sum w y."""
        return weighted_sums(self.values, self.weight)

    def target_squared(self) -> Tensor:
        """Sum w y^2."""
        return weighted_sums(self.values.square(), self.weight)

    def max_target(self) -> Tensor:
        """The largest y over the pixels of w > 0: (C,G)."""
        return self.values.amax(-1)

    def max_sum(self) -> Tensor:
        """The largest p + y over the pixels of w > 0: (C,G)."""
        return ((self.chunk.probs + self.values) * self.pixels.used).amax(-1)

    def largest(self) -> Tensor:
        """How many pixels have their largest y here, the first class of a tie."""
        first = self.values.argmax(0)
        return sum_by_class(self.pixels.used, first, len(self.values))

    @cached_property
    def pixel_weight(self) -> Tensor:
        """w k of a pixel's cross-entropy (G,L), with sigmoid an element's (C,G,L)."""
        if self.activation == 'sigmoid':
            return self.weight.expand_as(self.values)
        if self.class_weight is not None:
            return over_classes(self.values, self.class_weight) * self.weight
        return self.weight

    @cached_property
    def positive_weight(self) -> Tensor | None:
        """Of sigmoid, the factor of the positive outcome's term: (C,1,1)."""
        return None if self.class_weight is None else self.class_weight.unsqueeze(-1)

    def cross_entropy(self) -> Tensor:
        """Sum w k l: (G,)."""
        logits = self.chunk.logits
        if self.activation == 'sigmoid':
            loss = F.binary_cross_entropy_with_logits(
                logits,
                self.values,
                reduction='none',
                pos_weight=self.positive_weight,
            )
        else:
            loss = self.chunk.log_norm * self.values.sum(0)
            loss -= (self.values * self.chunk.shifted(logits)).sum(0)
        return self.pixels.total(loss * self.pixel_weight)

    def gradient(
        self,
        minimum: Tensor | None,
        product: Tensor | None,
        cross_entropy: Tensor | None,
    ) -> 'DenseGradient':
        """That of a softmax, given those of the sums: (C,G), (C,G), (G,1)."""
        return DenseGradient(self, minimum, product, cross_entropy)


class DenseGradient:
    """What a target adds to the gradient of a softmax: a `TargetGradient`, (12).

    min(p,y) = (p + y - |p-y|)/2: the half of its slope that knows no target is shared,
    and the sign of y - p is the rest.
    """

    def __init__(
        self,
        target: DenseChunk,
        minimum: Tensor | None,
        product: Tensor | None,
        cross_entropy: Tensor | None,
    ) -> None:
        self.target = target
        self.shared_slope: Tensor | None = None
        self.signed: Tensor | None = None
        self.linear: Tensor | None = None
        self.mean_slope: Tensor | None = None
        self.ce_factor: Tensor | None = None
        self.factor: Tensor | None = None
        values, probs = target.values, target.chunk.probs
        if minimum is not None:
            self.shared_slope = minimum / 2
            self.signed = torch.sub(values, probs).sign_().mul_(probs)
            self.mean_slope = over_classes(self.signed, self.shared_slope)
        if product is not None:
            self.linear = (probs * values).mul_(product.unsqueeze(-1))
            inner = self.linear.sum(0)
            self.mean_slope = (
                inner if self.mean_slope is None else self.mean_slope.add_(inner)
            )
        if cross_entropy is not None:
            self.factor = cross_entropy * target.pixel_weight
            self.ce_factor = self.factor * values.sum(0)

    def add_at_label(self, grad: Tensor) -> None:
        """Nothing: no class of a soft target is the label."""

    def add_at_all_classes(self, grad: Tensor) -> None:
        """Add what differs between the classes of a pixel."""
        target = self.target
        for rest in (self.signed, self.linear):
            if rest is not None and not target.pixels.binary:
                rest.mul_(target.weight)
        if self.signed is not None and self.shared_slope is not None:
            grad.addcmul_(self.signed, self.shared_slope.unsqueeze(-1))
        if self.linear is not None:
            grad += self.linear
        if self.factor is not None:
            grad.addcmul_(target.values, self.factor, value=-1)


class ElementwiseGradient:
    """What a target adds to the gradient (10), where no class looks at another.

    `slope` is G (C,G,L) or None, `cross_entropy` the factor w of p - y or None.
    """

    def __init__(
        self,
        target: DenseChunk,
        minimum: Tensor | None,
        product: Tensor | None,
        cross_entropy: Tensor | None,
    ) -> None:
        self.target = target
        self.slope: Tensor | None = None
        self.cross_entropy: Tensor | None = None
        if minimum is not None:
            self.slope = step(target.chunk.probs, target.values)
            self.slope *= minimum.unsqueeze(-1)
        if product is not None:
            linear = product.unsqueeze(-1) * target.values
            self.slope = linear if self.slope is None else self.slope.add_(linear)
        if cross_entropy is not None:
            self.cross_entropy = cross_entropy * target.pixel_weight

    def pulled(self, probs: Tensor) -> Tensor:
        """The gradient of the cross-entropy of a sigmoid (C,G,L)."""
        assert self.cross_entropy is not None
        values, positive = self.target.values, self.target.positive_weight
        if positive is None:
            return self.cross_entropy * (probs - values)
        wanted = positive * values
        return self.cross_entropy * (probs * (1 - values + wanted) - wanted)


def elementwise_gradient(
    chunk: Chunk,
    pixels: Pixels,
    slope: Tensor | None,
    square: Tensor | None,
    targets: Sequence[ElementwiseGradient],
    *,
    sigmoid: bool,
) -> Tensor:
    """The gradient (10) of the logits (C,G,L) where no class looks at another."""
    total = torch.zeros_like(chunk.x)
    if slope is not None:
        total += slope.unsqueeze(-1)
    if square is not None:
        total += 2 * square.unsqueeze(-1) * chunk.x
    for target in targets:
        if target.slope is not None:
            total += target.slope
    total *= pixels.weight
    if sigmoid:
        total *= chunk.x * (1 - chunk.x)
        for target in targets:
            if target.cross_entropy is not None:
                total += target.pulled(chunk.x)
    return total
