"""From the gradients of the sums to that of a chunk's logits.

With G = d/dp of the sums, w the weight and k the factor of the cross-entropy, the
logits' gradient is

    softmax:  w p (G - <p,G>) + w k (p - y)
    sigmoid:  w p (1 - p) G + w (p (1 - y + k y) - k y)
    identity: w G
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .chunks import Chunk, Pixels, over_classes
from .dense_chunks import DenseGradient, SoftmaxGradient
from .label_chunks import LabelGradient


def softmax_gradient(
    chunk: Chunk,
    pixels: Pixels,
    slope: Tensor | None,
    square: Tensor | None,
    targets: Sequence[LabelGradient | SoftmaxGradient],
) -> Tensor:
    """The gradient of the logits (C,G,L), written over the chunk's exponentials.

    `slope` and `square` (C,G) are the gradients of sum w p and of sum w p^2, `targets`
    those of what the targets say.
    """
    inner = pull = rest = None
    for target in targets:
        slope = _plus(slope, target.half)
    if slope is not None:
        inner = chunk.normalised(over_classes(chunk.x, slope))
    if square is not None:
        rest = chunk.probs.square().mul_(2 * square.unsqueeze(-1))
        inner = _plus(inner, rest.sum(0))
        rest *= pixels.weight
    for target in targets:
        inner = _plus(inner, target.inner)
        pull = _plus(pull, target.pull)
    common = torch.zeros_like(pixels.weight) if pull is None else pull
    if inner is not None:
        common = torch.addcmul(common, inner, pixels.weight, value=-1)
    common = chunk.normalised(common)
    factor = chunk.normalised(pixels.weight)
    if slope is not None:
        common = torch.addcmul(common, slope.unsqueeze(-1), factor)
    grad = chunk.x.mul_(common)
    if rest is not None:
        grad += rest
    for target in targets:
        target.add_to(grad)
    return grad


def _plus(total: Tensor | None, term: Tensor | None) -> Tensor | None:
    if total is None or term is None:
        return term if total is None else total
    return total + term


def elementwise_gradient(
    chunk: Chunk,
    pixels: Pixels,
    slope: Tensor | None,
    square: Tensor | None,
    targets: Sequence[DenseGradient],
    *,
    sigmoid: bool,
) -> Tensor:
    """The gradient of the logits (C,G,L) where no class looks at another."""
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
