"""The chunk of pixels that one step of a pass works on: its numbers fit the cache.

A chunk is (C,G,L): L pixels of each of G images, a part of one large image or all of
several small ones. Its sums are those of each image, (C,G). Softmax keeps its
exponentials unnormalised, as x with p = x / norm: the products with vectors over
pixels, which the sums are, take the norm into the vector and save a pass (3).
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from ..tensors import on_cpu

Activation = Literal['softmax', 'sigmoid', 'identity']


class Pixels(NamedTuple):
    """How much each pixel of a chunk counts, and its labels: (G,L) each."""

    weight: Tensor  # w >= 0
    used: Tensor  # 1 where w > 0, else 0; the same tensor where w is 0 or 1
    label: list[Tensor | None]  # of each target, any class where w is 0

    @property
    def binary(self) -> bool:
        """Whether the weights are 0 and 1 alone."""
        return self.used is self.weight

    def total(self, values: Tensor) -> Tensor:
        """The sum over each image of (G,L) or (C,G,L) with the weight's factor: (G,).

        Zeros and ones are summed up without a loss of digits; other weights may differ
        by more than the 2**24 that float32 counts to.
        """
        dtype = values.dtype if self.binary else torch.float64
        return values.sum((0, -1) if values.ndim == 3 else -1, dtype=dtype)


class Chunk:
    """Activated logits of one chunk.

    Args:
        logits: (C,G,L), at least float32, already divided by the temperature.
        activation: what makes probabilities of them.
        out: (C,G,L), where the exponentials of softmax go.
    """

    def __init__(
        self, logits: Tensor, activation: Activation, out: Tensor | None = None
    ) -> None:
        self.logits = logits
        self.norm: Tensor | None = None
        self.shift: Tensor | None = None
        if activation == 'softmax':
            self.x, self.norm, self.shift = _exponentials(logits, out)
        elif activation == 'sigmoid':
            self.x = torch.sigmoid(logits)
        else:
            self.x = logits

    @classmethod
    def from_exponentials(cls, x: Tensor) -> 'Chunk':
        """A softmax chunk whose exponentials were kept; its logits are not known."""
        chunk = cls(x, 'identity')
        chunk.norm = x.sum(0)
        return chunk

    def normalise_(self, used: Tensor) -> None:
        """Turn the exponentials into probabilities where they lie, 0 at unused pixels.

        For backward passes of softmax alone: of a forward pass they are kept.
        """
        assert self.norm is not None
        self.x.mul_(used / self.norm)
        self.norm = None
        self.probs = self.x

    @cached_property
    def scale(self) -> Tensor | None:
        """What makes probabilities of x: (G,L), or None where x is normalised."""
        return None if self.norm is None else self.norm.reciprocal()

    @cached_property
    def log_norm(self) -> Tensor:
        """(2): log p = shifted(logits) - log_norm."""
        assert self.norm is not None
        return self.norm.log()

    def shifted(self, values: Tensor) -> Tensor:
        """Logits (G,L) or (C,G,L) as log p + log_norm."""
        return values if self.shift is None else values - self.shift

    def normalised(self, values: Tensor) -> Tensor:
        """Exponentials (G,L) or (C,G,L) as probabilities."""
        return values if self.scale is None else values * self.scale

    @cached_property
    def probs(self) -> Tensor:
        """The probabilities (C,G,L)."""
        return self.normalised(self.x)

    def times(self, weight: Tensor) -> Tensor:
        """Sum_l p_cgl weight_gl: (C,G)."""
        return weighted_sums(self.x, self.normalised(weight))


_LOG2_E = 1 / math.log(2)


def _exponentials(
    logits: Tensor, out: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """(1): exp(logits - shift), its sum over the classes, and the shift.

    On the CPU, where a look at the data costs no synchronisation, nothing is subtracted
    from an image unless its sums come near the ends of the type.
    """
    shift = None
    if on_cpu(logits) and logits.numel():
        x = torch.mul(logits, _LOG2_E, out=out).exp2_()
        norm = x.sum(0)
        low, high = norm.aminmax()
        if low.item() > 1e-15 and high.item() < 1e30:  # False where it is NaN
            return x, norm, None
        low, high = norm.aminmax(dim=1, keepdim=True)
        shift = logits.amax(0).masked_fill((low > 1e-15) & (high < 1e30), 0)
    if shift is None:
        shift = logits.amax(0)
    x = torch.sub(logits, shift, out=out)
    # Of exp the CPU has a slow version, four times exp2, on some processors.
    x = x.mul_(_LOG2_E).exp2_() if on_cpu(x) else x.exp_()
    return x, x.sum(0), shift


def over_classes(values: Tensor, factor: Tensor) -> Tensor:
    """Sum_c factor_cg values_cgl of (C,G,L) and (C,G) or (C,1): (G,L)."""
    if on_cpu(values) and values.shape[1] == 1:
        return (factor.squeeze(1) @ values.squeeze(1)).unsqueeze(0)
    return (values * factor.unsqueeze(-1)).sum(0)


def weighted_sums(values: Tensor, weight: Tensor) -> Tensor:
    """Sum_l values_cgl weight_gl of (C,G,L) and (G,L): (C,G).

    A sum of products: a matrix product of float32 adds one by one and loses digits.
    """
    return (values * weight).sum(-1)


def of_label(values: Tensor, label: Tensor) -> Tensor:
    """Of values (C,G) or (C,1) those of the label (G,L) at each pixel: (G,L)."""
    if values.shape[1] == 1:
        return values.squeeze(1).index_select(0, label.flatten()).view_as(label)
    return values.T.gather(1, label)


def sum_by_class(values: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Sum values (G,L) of equal label (G,L) over each image: float64 (C,G)."""
    if on_cpu(values):
        # In float64: one by one, sums of float32 would stop at 2**24. In rows, which
        # the CPU's threads share.
        images, pixels = label.shape
        parts = 8 if pixels % 8 == 0 and pixels >= 2**12 else 1
        rows = images * parts
        totals = torch.zeros(rows, num_classes, dtype=torch.float64)
        totals.scatter_add_(1, label.view(rows, -1), values.double().view(rows, -1))
        return totals.view(images, parts, num_classes).sum(1).T
    classes = torch.arange(num_classes, device=label.device).view(-1, 1, 1)
    return torch.where(label == classes, values, 0).sum(-1, dtype=torch.float64)


def max_by_class(values: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """The largest of values (G,L) >= 0 of equal label (G,L), 0 if none: (C,G)."""
    largest = values.new_zeros(len(values), num_classes)
    return largest.scatter_reduce_(1, label, values, 'amax').T


def step(probs: Tensor, target: Tensor) -> Tensor:
    """(8): d min(p,y) / dp: 1 where p < y, 0 where p > y, one half at a tie.

    At p = y the half makes the gradient of a Jaccard metric loss vanish.
    """
    return torch.sub(target, probs).sign_().add_(1).mul_(0.5)


class TargetGradient(Protocol):
    """What one target adds to the gradient of a softmax chunk, in the parts of (11).

    A part that the target does not have is None.
    """

    shared_slope: Tensor | None  # (C,G), the part of its slope that all pixels share
    mean_slope: Tensor | None  # (G,L), <p, what differs between pixels>
    ce_factor: Tensor | None  # (G,L), the factor of p that the cross-entropy gives

    def add_at_label(self, grad: Tensor) -> None:
        """Add to grad (C,G,L) what the label's own class has beyond the others."""

    def add_at_all_classes(self, grad: Tensor) -> None:
        """Add to grad (C,G,L) what differs between the classes of a pixel."""


def softmax_gradient(
    chunk: Chunk,
    pixels: Pixels,
    slope: Tensor | None,
    square: Tensor | None,
    targets: Sequence[TargetGradient],
) -> Tensor:
    """The gradient (11) of the logits (C,G,L), written over the chunk's exponentials.

    `slope` and `square` (C,G) are the gradients of sum w p and of sum w p^2.
    """
    mean_slope = ce_factor = rest = None
    for target in targets:
        slope = _plus(slope, target.shared_slope)
    if slope is not None:
        mean_slope = chunk.normalised(over_classes(chunk.x, slope))
    if square is not None:
        rest = chunk.probs.square().mul_(2 * square.unsqueeze(-1))
        mean_slope = _plus(mean_slope, rest.sum(0))
        rest *= pixels.weight
    for target in targets:
        mean_slope = _plus(mean_slope, target.mean_slope)
        ce_factor = _plus(ce_factor, target.ce_factor)
    common = torch.zeros_like(pixels.weight) if ce_factor is None else ce_factor
    if mean_slope is not None:
        common = torch.addcmul(common, mean_slope, pixels.weight, value=-1)
    common = chunk.normalised(common)
    factor = chunk.normalised(pixels.weight)
    if slope is not None:
        common = torch.addcmul(common, slope.unsqueeze(-1), factor)
    grad = chunk.x.mul_(common)
    if rest is not None:
        grad += rest
    for target in targets:
        target.add_at_label(grad)
        target.add_at_all_classes(grad)
    return grad


def _plus(total: Tensor | None, term: Tensor | None) -> Tensor | None:
    if total is None or term is None:
        return term if total is None else total
    return total + term
