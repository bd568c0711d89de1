"""Any image as one that can be looked at."""

from __future__ import annotations

import numpy as np

DARKEST, LIGHTEST = 2, 98  # percentiles that become black and white
MOST_SAMPLED = 512  # pixels in each direction, for the percentiles


def rgb_image(image: np.ndarray, *, bgr: bool) -> np.ndarray:
    """An image of any bands and type as 8-bit RGB.

    The first three bands become the colours; of one or two bands the first becomes
    grey. Values from 0 to 255 stay as they are, in whatever type they come; others are
    stretched, in all bands alike, so that the 2nd percentile is black and the 98th
    white.

    Args:
        image: (H, W) or (H, W, bands).
        bgr: Whether the first three bands are blue, green, red, as mmcv gives them.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: `image` has another shape.

    >>> rgb_image(np.array([[0.0, 1000.0]], np.float32), bgr=True)[0, :, 0].tolist()
    [0, 255]
    """
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(
            f'`image` must be (H, W) or (H, W, bands), got shape {image.shape}'
        )
    if image.shape[2] < 3:
        image = np.repeat(image[..., :1], 3, 2)
    colours = image[..., 2::-1] if bgr else image[..., :3]
    if colours.dtype == np.uint8:
        return np.ascontiguousarray(colours)
    return _stretched(np.nan_to_num(colours.astype(np.float32), posinf=0, neginf=0))


def _stretched(colours: np.ndarray) -> np.ndarray:
    low, high = 0.0, 255.0
    if colours.min() < low or colours.max() > high or (colours % 1).any():
        steps = [-(-side // MOST_SAMPLED) for side in colours.shape[:2]]
        sampled = colours[:: steps[0], :: steps[1]]
        low, high = np.percentile(sampled, (DARKEST, LIGHTEST))
    scaled = (colours - low) * (255 / max(high - low, 1e-12))
    return scaled.clip(0, 255).round().astype(np.uint8)
