"""Softmax against a hard or smoothed label, without its one-hot.

The target of a pixel is `low` for every class and `low + span` for its label; 0 and 1
when it is hard (4). So every sum is one over the label's own probabilities, and one
over all probabilities of the smoothed pixels (low > 0), which are few: boundaries.
"""

from functools import cached_property

import torch
from torch import Tensor

from ..tensors import on_cpu
from .chunks import (
    Chunk,
    Pixels,
    max_by_class,
    of_label,
    step,
    sum_by_class,
    weighted_sums,
)


class Smoothed:
    """The smoothed pixels of a chunk.

    Args:
        epsilon: (G,L) in [0,1], 0 at pixels that do not count.
        num_classes: C.
        columns: (K,) where epsilon > 0, if these few pixels of one image are to be
            picked out.
    """

    def __init__(
        self, epsilon: Tensor, num_classes: int, columns: Tensor | None = None
    ) -> None:
        self.low = epsilon / num_classes
        self.span = 1 - epsilon
        self.columns = columns

    def pick(self, values: Tensor) -> Tensor:
        """The smoothed pixels of (G,L) or (C,G,L)."""
        if self.columns is None:
            return values
        if values.ndim == 2:
            return values.index_select(1, self.columns)
        return values.gather(2, self.columns.expand(len(values), 1, -1))

    @cached_property
    def picked_low(self) -> Tensor:
        """`low` of the smoothed pixels."""
        return self.pick(self.low)

    def probs(self, chunk: Chunk) -> Tensor:
        """The probabilities of the smoothed pixels (C,G,K)."""
        if chunk.scale is None:
            return self.pick(chunk.x)
        return self.pick(chunk.x) * self.pick(chunk.scale)

    def add(self, total: Tensor, values: Tensor) -> Tensor:
        """Add values of the smoothed pixels to (G,L) or (C,G,L), in place."""
        if self.columns is None:
            return total.add_(values)
        return total.index_add_(-1, self.columns, values)


def few_columns(epsilon: Tensor) -> Tensor | None:
    """Where epsilon (1,L) is not 0, if that is less than half of it: (K,).

    None of several images, whose pixels would be picked out apart, and on a GPU, where
    counting would synchronise.
    """
    if not on_cpu(epsilon) or len(epsilon) > 1:
        return None
    columns = epsilon[0].nonzero().squeeze(1)
    return columns if 2 * len(columns) < epsilon.shape[1] else None


class LabelChunk:
    """The target of one chunk.

    Args:
        chunk: the prediction.
        label: (G,L) in [0,C); any class where the weight is 0.
        pixels: how much each pixel counts.
        smoothed: its smoothed pixels, or None for a hard label.
        class_weight: (C,1) or None, of the cross-entropy.
    """

    def __init__(
        self,
        chunk: Chunk,
        label: Tensor,
        pixels: Pixels,
        smoothed: Smoothed | None,
        class_weight: Tensor | None,
    ) -> None:
        self.chunk = chunk
        self.label = label
        self.pixels = pixels
        self.weight = pixels.weight
        self.class_weight = class_weight
        self.num_classes = len(chunk.x)
        self.smoothed = smoothed

    def own(self, values: Tensor) -> Tensor:
        """The label's own row of (C,G,L) at each pixel: (G,L)."""
        return values.gather(0, self.label.unsqueeze(0)).squeeze(0)

    def by_class(self, values: Tensor) -> Tensor:
        """The sum of (G,L) over the pixels of each label: float64 (C,G)."""
        return sum_by_class(values, self.label, self.num_classes)

    @cached_property
    def log_probs(self) -> Tensor:
        """The logarithm of the label's own probability (G,L)."""
        return self.chunk.shifted(self.own(self.chunk.logits)) - self.chunk.log_norm

    @cached_property
    def probs(self) -> Tensor:
        """The label's own probability (G,L)."""
        if 'log_probs' in self.__dict__:
            return self.log_probs.exp()
        return self.chunk.normalised(self.own(self.chunk.x))

    @cached_property
    def hard_weight(self) -> Tensor:
        """w times what the label has more than the other classes."""
        return (
            self.weight if self.smoothed is None else self.smoothed.span * self.weight
        )

    def minimum(self) -> Tensor:
        """(5): sum w min(p,y), float64 (C,G) as all the sums."""
        soft = self.smoothed
        if soft is None:
            return self.by_class(self.probs * self.weight)
        own = torch.minimum(self.probs, soft.low + soft.span)
        own -= torch.minimum(self.probs, soft.low)
        probs = soft.probs(self.chunk)
        every = torch.minimum(probs, soft.picked_low)
        return self.by_class(own * self.weight) + weighted_sums(
            every, soft.pick(self.weight)
        )

    def product(self) -> Tensor:
        """(6): sum w p y."""
        own = self.by_class(self.probs * self.hard_weight)
        if self.smoothed is None:
            return own
        return own + self.chunk.times(self.smoothed.low * self.weight)

    @cached_property
    def _mass(self) -> Tensor:
        own = self.by_class(self.hard_weight)
        if self.smoothed is None:
            return own
        return own + (self.smoothed.low * self.weight).sum(-1, dtype=torch.float64)

    def target(self) -> Tensor:
        """Sum w y."""
        return self._mass

    def target_squared(self) -> Tensor:
        """Sum w y^2."""
        if self.smoothed is None:
            return self._mass
        low, high = self.smoothed.low, self.smoothed.low + self.smoothed.span
        every = (low.square() * self.weight).sum(-1, dtype=torch.float64)
        return self.by_class((high.square() - low.square()) * self.weight) + every

    def max_target(self) -> Tensor:
        """The largest y over the pixels of w > 0: (C,G)."""
        if self.smoothed is None:
            return (self._mass > 0).to(self.weight)
        high = (self.smoothed.low + self.smoothed.span) * self.pixels.used
        own = max_by_class(high, self.label, self.num_classes)
        return torch.maximum(own, self.smoothed.low.amax(-1))

    def max_sum(self) -> Tensor:
        """The largest p + y over the pixels of w > 0: (C,G)."""
        own, every, used = self.probs + 1, self.chunk.probs, self.pixels.used
        if self.smoothed is not None:
            own = self.probs + self.smoothed.low + self.smoothed.span
            every = every + self.smoothed.low
        largest = max_by_class(own * used, self.label, self.num_classes)
        return torch.maximum(largest, (every * used).amax(-1))

    def largest(self) -> Tensor:
        """How many pixels have their largest y here, the first class of a tie."""
        label = self.label
        if self.smoothed is not None:  # wholly smoothed, all classes tie
            label = label.where(self.smoothed.span > 0, 0)
        return sum_by_class(self.pixels.used, label, self.num_classes)

    @cached_property
    def pixel_weight(self) -> Tensor:
        """The weight w k of each pixel's cross-entropy (G,L)."""
        if self.class_weight is None:
            return self.weight
        own = of_label(self.class_weight, self.label)
        if self.smoothed is not None:
            every = self.smoothed.low * self.class_weight.sum()
            own = own * self.smoothed.span + every
        return own * self.weight

    def cross_entropy(self) -> Tensor:
        """(7): sum w k l, (G,)."""
        loss = self.log_probs * self.pixel_weight
        soft = self.smoothed
        if soft is None:
            return -self.pixels.total(loss)
        low = soft.low * self.pixel_weight
        every = weighted_sums(soft.pick(self.chunk.logits), soft.pick(low)).sum(0)
        norms = self.chunk.log_norm
        if self.chunk.shift is not None:
            norms = norms + self.chunk.shift
        norms = (norms * low).sum(-1, dtype=torch.float64)
        own = self.pixels.total(loss * soft.span)
        return self.num_classes * norms - every - own

    def gradient(
        self,
        minimum: Tensor | None,
        product: Tensor | None,
        cross_entropy: Tensor | None,
    ) -> 'LabelGradient':
        """The gradient, given those of the sums: (C,G), (C,G), (G,1)."""
        return LabelGradient(self, minimum, product, cross_entropy)


class LabelGradient:
    """What a label adds to the gradient of its logits: a `TargetGradient`, (13).

    `at_label` (G,L) is the label's own, `at_all_classes` (C,G,K) that of every class of
    the smoothed pixels.
    """

    shared_slope: Tensor | None = None

    def __init__(
        self,
        target: LabelChunk,
        minimum: Tensor | None,
        product: Tensor | None,
        cross_entropy: Tensor | None,
    ) -> None:
        self.target = target
        self.mean_slope: Tensor | None = None
        self.ce_factor: Tensor | None = None
        at_label = _slope_at_label(target, minimum, product)
        at_all = _slope_at_all_classes(target, minimum, product)
        soft = target.smoothed
        if at_label is not None:
            self.mean_slope = at_label.mul_(target.probs)
            at_label = at_label * target.weight
            if soft is not None and at_all is not None:
                soft.add(self.mean_slope, at_all.sum(0))
                at_all.mul_(soft.pick(target.weight))
        if cross_entropy is not None:
            self.ce_factor = cross_entropy * target.pixel_weight
            own = self.ce_factor if soft is None else self.ce_factor * soft.span
            at_label = -own if at_label is None else at_label.sub_(own)
            if soft is not None:
                uniform = soft.pick(self.ce_factor) * soft.picked_low
                if at_all is None:
                    at_all = (-uniform).expand(target.num_classes, -1, -1)
                else:
                    at_all.sub_(uniform)
        self.at_label, self.at_all_classes = at_label, at_all

    def add_at_label(self, grad: Tensor) -> None:
        """Add what the label's own class has beyond the others."""
        if self.at_label is not None:
            index = self.target.label.unsqueeze(0)
            grad.scatter_add_(0, index, self.at_label.unsqueeze(0))

    def add_at_all_classes(self, grad: Tensor) -> None:
        """Add what all classes of the smoothed pixels have."""
        if self.target.smoothed is not None and self.at_all_classes is not None:
            self.target.smoothed.add(grad, self.at_all_classes)


def _slope_at_label(
    target: LabelChunk, minimum: Tensor | None, product: Tensor | None
) -> Tensor | None:
    """G at the label, less what `_slope_at_all_classes` gives all classes: (G,L)."""
    slope = None
    soft = target.smoothed
    if minimum is not None:
        slope = of_label(minimum, target.label)
        if soft is not None:
            probs, low = soft.pick(target.probs), soft.picked_low
            kink = step(probs, low + soft.pick(soft.span)) - step(probs, low) - 1
            # Where nothing is smoothed min(p,0) is flat, also at p = 0.
            kink *= low > 0
            soft.add(slope, kink.mul_(soft.pick(slope)))
    if product is not None:
        linear = of_label(product, target.label)
        if soft is not None:
            linear *= soft.span
        slope = linear if slope is None else slope.add_(linear)
    return slope


def _slope_at_all_classes(
    target: LabelChunk, minimum: Tensor | None, product: Tensor | None
) -> Tensor | None:
    """p G of all classes at the smoothed pixels: (C,G,K); None where there is none."""
    soft = target.smoothed
    if soft is None or (minimum is None and product is None):
        return None
    probs = soft.probs(target.chunk)
    slope = torch.zeros_like(probs)
    if minimum is not None:
        # At low = 0 the step is 0 but for p = 0, which the factor p takes out.
        slope = step(probs, soft.picked_low).mul_(minimum.unsqueeze(-1))
    if product is not None:
        slope += product.unsqueeze(-1) * soft.picked_low
    return slope.mul_(probs)
