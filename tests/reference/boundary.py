"""Boundary pixels and smoothed labels, one pixel at a time.

Section 2.4.1 of the paper: a pixel is a boundary pixel if its k x k neighbourhood
holds a pixel of another class; boundary label smoothing smooths those alone.
"""

import itertools

import numpy as np

from .targets import one_hot, valid_mask


def window(label: np.ndarray, place: tuple[int, ...], kernel_size: int) -> list[int]:
    """The labels in the window around a pixel of one image (H, W) or (D, H, W).

    The window ends at the image's edge: nothing is padded, so the edge by itself
    makes no boundary.
    """
    reach = kernel_size // 2
    ranges = [
        range(max(at - reach, 0), min(at + reach + 1, size))
        for at, size in zip(place, label.shape, strict=True)
    ]
    return [int(label[other]) for other in itertools.product(*ranges)]


def is_boundary(
    label: np.ndarray,
    place: tuple[int, ...],
    kernel_size: int,
    ignore_index: int,
    ignore_neighbours: bool,
) -> bool:
    """Whether one pixel of one image (H, W) or (D, H, W) is a boundary pixel."""
    own = int(label[place])
    if own == ignore_index:
        return False
    around = window(label, place, kernel_size)
    if ignore_neighbours and ignore_index in around:
        return False
    return any(other not in (own, ignore_index) for other in around)


def boundary_mask(
    label: np.ndarray,
    kernel_size: int = 3,
    ignore_index: int = 255,
    ignore_neighbours: bool = True,
) -> np.ndarray:
    """A bool mask of the shape of the label, (N, H, W) or (N, D, H, W).

    Ignored pixels are never boundary.

    `ignore_neighbours=True`: a pixel whose window holds an ignored pixel is no
    boundary either. False: ignored pixels in the window are overlooked.
    """
    mask = np.zeros(label.shape, dtype=bool)
    for image, *place in np.ndindex(label.shape):
        mask[(image, *place)] = is_boundary(
            label[image], tuple(place), kernel_size, ignore_index, ignore_neighbours
        )
    return mask


def smooth(
    target: np.ndarray, epsilon: float | np.ndarray, sigmoid: bool = False
) -> np.ndarray:
    """Mix the target (N, C, *) with the uniform distribution over its outcomes.

    Softmax: C outcomes, (1 - e) y + e / C. Sigmoid: two outcomes for each channel,
    (1 - e) y + e / 2. `epsilon` is one number or a number for each pixel (N, *).
    """
    outcomes = 2 if sigmoid else target.shape[1]
    smoothed = np.zeros(target.shape)
    for image, channel, *place in np.ndindex(target.shape):
        e = epsilon[(image, *place)] if isinstance(epsilon, np.ndarray) else epsilon
        y = target[(image, channel, *place)]
        smoothed[(image, channel, *place)] = (1 - e) * y + e / outcomes
    return smoothed


def label_smoothing(
    label: np.ndarray,
    num_classes: int,
    epsilon: float,
    ignore_index: int = 255,
    sigmoid: bool = False,
) -> np.ndarray:
    """Plain label smoothing: (N, *) -> (N, C, *), zero at ignored pixels."""
    target = one_hot(label, num_classes, ignore_index)
    valid = valid_mask(label, ignore_index)
    return smooth(target, epsilon, sigmoid) * valid[:, None]


def boundary_label_smoothing(
    label: np.ndarray,
    num_classes: int,
    kernel_size: int,
    epsilon: float,
    ignore_index: int = 255,
    ignore_neighbours: bool = True,
    sigmoid: bool = False,
) -> np.ndarray:
    """Smooth boundary pixels alone: (N, H, W) -> (N, C, H, W), zero at ignored."""
    mask = boundary_mask(label, kernel_size, ignore_index, ignore_neighbours)
    target = one_hot(label, num_classes, ignore_index)
    return smooth(target, epsilon * mask, sigmoid)
