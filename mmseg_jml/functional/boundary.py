"""Boundary masks and smoothed targets.

Boundary label smoothing is section 2.4.1 (arXiv v1) of Wang, Ning, Blaschko, "Jaccard
Metric Losses: Optimizing the Jaccard Index with Soft Labels", NeurIPS 2023: plain label
smoothing at the pixels whose k x k window holds another class, one-hot elsewhere.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_int, check_label, check_number
from .targets import IGNORE_INDEX, valid_mask


def _windows(ids: Tensor, kernel_size: int, outside: int, largest: bool) -> Tensor:
    """The largest (or smallest) id in each pixel's window; `outside` fills the rim.

    A window of twice the width is the larger of two windows: the cost grows with the
    logarithm of the kernel.
    """
    choose = torch.maximum if largest else torch.minimum
    pad = kernel_size // 2
    for dim in range(1, ids.ndim):
        after = [0, 0] * (ids.ndim - 1 - dim)  # `pad` counts from the last axis
        ids = F.pad(ids, [*after, pad, pad], value=outside)
        width = 1
        while width < kernel_size:
            shift = min(width, kernel_size - width)
            length = ids.shape[dim] - shift
            ids = choose(ids.narrow(dim, 0, length), ids.narrow(dim, shift, length))
            width += shift
    return ids


def boundary_mask(
    label: Tensor,
    kernel_size: int = 3,
    ignore_index: int = IGNORE_INDEX,
    ignore_neighbours: bool = True,
) -> Tensor:
    """Pixels whose window holds another class: a bool mask of the label's shape.

    `label` is integer, (N,H,W) or a volume (N,D,H,W). The window is `kernel_size` (odd)
    wide along each axis and lies inside the image: the image's edge is no boundary.
    Ignored pixels are no class and never boundary.
    `ignore_neighbours=True` is the rule of the paper's code, under which a pixel
    whose window holds an ignored pixel is no boundary either; False looks at the
    other classes only. No one-hot is made: a window holds two classes where its
    largest label is not its smallest.

    Raises:
        ValueError: the kernel is even or not positive, or the label is a list of points
            (N,P), which has no neighbours.

    >>> boundary_mask(torch.tensor([[[0, 0, 0, 1, 1, 255]]])).int()
    tensor([[[0, 0, 1, 1, 0, 0]]], dtype=torch.int32)
    """
    check_kernel_size(kernel_size)
    check_label(label)
    if label.ndim < 3:
        raise ValueError(
            '`label` must be (N,H,W) or (N,D,H,W) to have boundaries, got '
            f'{tuple(label.shape)}'
        )
    small = label.dtype in (torch.uint8, torch.int8, torch.int16)
    ids = label.to(torch.int16 if small else torch.int32)
    high = torch.iinfo(ids.dtype).max
    valid = valid_mask(label, ignore_index)
    # An ignored pixel is no window's smallest id; it is the largest where it matters.
    above = ids.where(valid, high)
    below = above if ignore_neighbours else ids.where(valid, -1)
    largest = _windows(below, kernel_size, -1, largest=True)
    smallest = _windows(above, kernel_size, high, largest=False)
    boundary = (largest != smallest) & valid
    return boundary & (largest != high) if ignore_neighbours else boundary


def check_kernel_size(kernel_size: int) -> None:
    """Refuse a window without a centre pixel."""
    check_int('kernel_size', kernel_size)
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f'`kernel_size` must be odd and >= 1, got {kernel_size!r}')


def smooth_target(
    target: Tensor, epsilon: float | Tensor, sigmoid: bool = False
) -> Tensor:
    """Mix a target (N,C,*) with the uniform one: (1-e)*target + e/C.

    `epsilon` in [0,1] is a number or a map (N,*). With `sigmoid` each channel is a
    distribution over two outcomes: (1-e)*target + e/2. Ignored pixels are not known
    here: the caller masks them.

    >>> smooth_target(torch.tensor([[[1.0], [0.0]]]), 0.5)
    tensor([[[0.7500],
             [0.2500]]])
    """
    if isinstance(epsilon, Tensor):
        pixels = (target.shape[0], *target.shape[2:])
        if epsilon.shape != pixels:
            raise ValueError(
                f'`epsilon` must be a number or {pixels}, got {tuple(epsilon.shape)}'
            )
        epsilon = epsilon.unsqueeze(1).to(target.dtype)
    else:
        check_number('epsilon', epsilon, 0, 1)
    outcomes = 2 if sigmoid else target.shape[1]
    return target * (1 - epsilon) + epsilon / outcomes
