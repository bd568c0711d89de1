"""From the gradients of the sums to that of a chunk's logits.

With G = d/dp of the sums, w the weight and k the factor of the cross-entropy, the
logits' gradient is

    softmax:  w p (G - <p,G>) + w k (p - y)
    sigmoid:  w p (1 - p) G + w k (p - y)
    identity: w G
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .chunks import Chunk
from .dense_chunks import DenseGradient
from .label_chunks import LabelGradient


def softmax_gradient(
    chunk: Chunk,
    weight: Tensor,
    slope: Tensor | None,
    square: Tensor | None,
    targets: Sequence[LabelGradient | DenseGradient],
) -> Tensor:
    """The gradient of the logits (C,L), written over the chunk's exponentials.

    `slope` and `square` (C,) are the gradients of sum w p and of sum w p^2, `targets`
    those of what the targets say.
    """
    scale = chunk.scale
    assert scale is not None  # softmax has one
    inner = torch.zeros_like(weight)
    pull = torch.zeros_like(weight)
    rest = None
    if slope is not None:
        inner += chunk.x.t().mv(slope) * scale
    if square is not None:
        rest = chunk.probs.square().mul_(2 * square.unsqueeze(1))
        inner += rest.sum(0)
        rest *= weight
    for target in targets:
        if target.inner is not None:
            inner += target.inner
        if target.pull is not None:
            pull += target.pull
    common = (pull - inner * weight) * scale
    grad = chunk.x.mul_(
        common if slope is None else _affine(slope, weight * scale, common)
    )
    if rest is not None:
        grad += rest
    for target in targets:
        target.add_to(grad)
    return grad


def _affine(slope: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    """slope_c factor_l + offset_l: (C,L)."""
    if slope.device.type != 'cpu':  # where a product may be in TF32
        return torch.addcmul(offset, slope.unsqueeze(1), factor)
    left = torch.stack([slope, torch.ones_like(slope)], 1)
    return left @ torch.stack([factor, offset])


def elementwise_gradient(
    chunk: Chunk,
    weight: Tensor,
    slope: Tensor | None,
    square: Tensor | None,
    targets: Sequence[LabelGradient | DenseGradient],
    *,
    sigmoid: bool,
) -> Tensor:
    """The gradient of the logits (C,L) where no class looks at another."""
    total = torch.zeros_like(chunk.x)
    if slope is not None:
        total += slope.unsqueeze(1)
    if square is not None:
        total += 2 * square.unsqueeze(1) * chunk.x
    dense = [target for target in targets if isinstance(target, DenseGradient)]
    for target in dense:
        if target.slope is not None:
            total += target.slope
    total *= weight
    if sigmoid:
        total *= chunk.x * (1 - chunk.x)
        for target in dense:
            if target.cross_entropy is not None:
                total += target.cross_entropy * (chunk.x - target.target.values)
    return total
