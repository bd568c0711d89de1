"""The chunk of pixels that one step of a pass works on: its numbers fit the cache.

A chunk is (C,L), L pixels of one image. Softmax keeps its exponentials unnormalised, as
x with p = x * scale: the products with vectors over pixels, which the sums are, take
the scale into the vector and save a pass.
"""

from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

Activation = Literal['softmax', 'sigmoid', 'identity']


class Chunk:
    """Activated logits of one chunk.

    Args:
        logits: (C,L), at least float32, already divided by the temperature.
        activation: what makes probabilities of them.
        out: (C,L), where the exponentials of softmax go.
    """

    def __init__(
        self, logits: Tensor, activation: Activation, out: Tensor | None = None
    ) -> None:
        self.logits = logits
        self.log_norm: Tensor | None = None  # log p = logits - shift - log_norm
        self.shift: Tensor | None = None
        self.scale: Tensor | None = None
        if activation == 'softmax':
            shift = _shift(logits)
            if shift is None:
                self.x = torch.exp(logits, out=out)
            else:
                self.x = torch.sub(logits, shift, out=out).exp_()
            norm = self.x.sum(0)
            self.scale = norm.reciprocal()
            self.log_norm = norm.log()
            self.shift = shift
        elif activation == 'sigmoid':
            self.x = torch.sigmoid(logits)
        else:
            self.x = logits

    @classmethod
    def from_exponentials(cls, x: Tensor) -> 'Chunk':
        """A softmax chunk whose exponentials were kept; its logits are not known."""
        chunk = cls(x, 'identity')
        chunk.scale = x.sum(0).reciprocal()
        return chunk

    def shifted(self, values: Tensor) -> Tensor:
        """Logits (L,) or (C,L) as log p + log_norm."""
        return values if self.shift is None else values - self.shift

    def normalised(self, values: Tensor) -> Tensor:
        """Exponentials (L,) or (C,L) as probabilities."""
        return values if self.scale is None else values * self.scale

    @cached_property
    def probs(self) -> Tensor:
        """The probabilities (C,L)."""
        return self.normalised(self.x)

    def times(self, weight: Tensor) -> Tensor:
        """Sum_l p_cl weight_l: float64 (C,)."""
        return weighted_sums(self.x, self.normalised(weight))


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """What is computed in: half precision is raised to float32."""
    half = dtype in (torch.float16, torch.bfloat16)
    return torch.float32 if half else dtype


def _shift(logits: Tensor) -> Tensor | None:
    """What to subtract before exp: the largest logit of each pixel, or nothing.

    On the CPU, where a look at the data costs no synchronisation, a chunk whose largest
    logits are all moderate needs no subtraction: exp can neither overflow nor vanish.
    """
    largest = logits.amax(0)
    if logits.device.type == 'cpu' and largest.numel():
        low, high = largest.aminmax()
        if low.item() > -20 and high.item() < 60:
            return None
    return largest


def weighted_sums(values: Tensor, weight: Tensor) -> Tensor:
    """Sum_l values_cl weight_l of (C,L) and (L,): float64 (C,).

    On the CPU a product in pieces: over many pixels a float32 product loses digits.
    """
    if values.device.type != 'cpu':
        return (values * weight).sum(1, dtype=torch.float64)
    total = torch.zeros(len(values), dtype=torch.float64)
    pieces = torch.split(values, 2**13, 1), torch.split(weight, 2**13)
    for piece, part in zip(*pieces, strict=True):
        total += piece @ part
    return total


def used(weight: Tensor) -> Tensor:
    """1 where a pixel counts, else 0, of the shape and type of `weight`."""
    return (weight > 0).to(weight)


def sum_by_class(values: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Sum values (L,) of equal label (L,): float64 (C,)."""
    if values.device.type == 'cpu':
        # bincount sums in the type of its weights: float32 would stop at 2**24.
        return torch.bincount(label, weights=values.double(), minlength=num_classes)
    classes = torch.arange(num_classes, device=label.device).unsqueeze(1)
    return torch.where(label == classes, values, 0).sum(1, dtype=torch.float64)


def max_by_class(values: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """The largest of values (L,) >= 0 of equal label (L,), 0 if there is none: (C,)."""
    return values.new_zeros(num_classes).scatter_reduce_(0, label, values, 'amax')


def step(probs: Tensor, target: Tensor) -> Tensor:
    """d min(p,y) / dp: 1 where p < y, 0 where p > y, one half at a tie.

    At p = y the half makes the gradient of a Jaccard metric loss vanish.
    """
    return torch.sub(target, probs).sign_().add_(1).mul_(0.5)
