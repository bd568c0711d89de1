"""Photometric changes of an image of any type and any number of bands."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

COLOURS = 3
GREY_OF_BGR = np.float32([[0.114, 0.587, 0.299]])  # ITU-R BT.601, as in OpenCV
TURN = 360  # degrees: the hue of a float image in OpenCV


@TRANSFORMS.register_module()
class StrongAugmentation(BaseTransform):
    """Change colours, convert to grey and blur, each with its probability.

    No pixel moves. The defaults are those of UniMatch (Yang et al., CVPR 2023) and of
    the methods that it follows. CutMix belongs to them too; the segmentor applies it,
    because it mixes the images of a batch.

    The image may have any real type and any number of bands; both stay as they are.
    Brightness and contrast change every image. An image of three bands is taken for a
    colour image in BGR, and only such an image changes its saturation and its hue or
    becomes grey; for other numbers of bands these three steps are left out. The
    contrast is changed around the mean of the grey image, or of each band where there
    are no colours. The hue stays where a value is negative, because it has none.

    Values are clipped to `value_range`, which by default is the range of an integer
    type (0 to 255 for uint8) and nothing for a floating type: reflectances of 10,000
    and normalized values below 0 remain what they are.

    Args:
        jitter: Brightness, contrast and saturation are multiplied by a factor within
            1 ± `jitter`, in random order; in [0, 1].
        hue: The hue turns by up to this part of the circle, in [0, 0.5].
        jitter_prob, grey_prob, blur_prob: The probability of each change, in [0, 1].
        blur_sigma: The smallest and the largest standard deviation of the Gaussian, in
            pixels, both > 0.
        value_range: The smallest and the largest value that an image can have, for
            instance (0, 4095) for 12 bits in uint16, or (0, 255) for 8-bit images that
            were loaded as float32.

    Raises:
        ValueError: A number lies outside its range.

    >>> augment = StrongAugmentation(jitter_prob=0, grey_prob=1, blur_prob=0)
    >>> image = augment({'img': np.uint8([[[0, 0, 255]]])})['img']
    >>> bool((image == image[..., :1]).all())
    True
    """

    def __init__(
        self,
        *,
        jitter: float = 0.5,
        hue: float = 0.25,
        jitter_prob: float = 0.8,
        grey_prob: float = 0.2,
        blur_prob: float = 0.5,
        blur_sigma: tuple[float, float] = (0.1, 2.0),
        value_range: tuple[float, float] | None = None,
    ) -> None:
        limits = {
            'jitter': (jitter, 1),
            'hue': (hue, 0.5),
            'jitter_prob': (jitter_prob, 1),
            'grey_prob': (grey_prob, 1),
            'blur_prob': (blur_prob, 1),
        }
        for name, (value, most) in limits.items():
            if not 0 <= value <= most:
                raise ValueError(f'`{name}` must be in [0, {most}], got {value!r}')
        if not 0 < blur_sigma[0] <= blur_sigma[1]:
            raise ValueError(
                f'`blur_sigma` must be (smallest, largest) > 0, got {blur_sigma!r}'
            )
        if value_range is not None and not value_range[0] < value_range[1]:
            raise ValueError(
                '`value_range` must be (smallest, largest) or None, got '
                f'{value_range!r}'
            )
        self.jitter, self.hue = jitter, hue
        self.jitter_prob, self.grey_prob = jitter_prob, grey_prob
        self.blur_prob, self.blur_sigma = blur_prob, blur_sigma
        self.value_range = value_range

    def transform(self, results: dict) -> dict:
        """Change `img`, (H, W) or (H, W, bands) of a real type.

        Raises:
            TypeError: The image has another type.
            ValueError: The image has another number of axes.
        """
        results['img'] = self._changed(results['img'])
        return results

    def _changed(self, original: np.ndarray) -> np.ndarray:
        _check(original)
        kind = original.dtype
        limits = self._limits(kind)
        img = original.reshape(*original.shape[:2], -1)
        # Float32 holds every 16-bit integer; wider types need float64.
        img = img.astype(np.result_type(kind, np.float32))
        if np.random.rand() < self.jitter_prob:
            img = self._jittered(img, limits)
        if np.random.rand() < self.grey_prob and img.shape[2] == COLOURS:
            img = _grey(img)
        if np.random.rand() < self.blur_prob:
            sigma = np.random.uniform(*self.blur_sigma)
            img = cv2.GaussianBlur(img, (0, 0), sigma)
        if limits is not None:
            img = img.clip(*limits)
        if kind.kind in 'iu':
            img = np.rint(img)
        return img.astype(kind).reshape(original.shape)

    def _limits(self, kind: np.dtype) -> tuple[float, float] | None:
        if self.value_range is not None or kind.kind == 'f':
            return self.value_range
        return np.iinfo(kind).min, np.iinfo(kind).max

    def _jittered(
        self, img: np.ndarray, limits: tuple[float, float] | None
    ) -> np.ndarray:
        """The image after its steps in random order, clipped after each."""
        brightness, contrast, saturation = np.random.uniform(
            1 - self.jitter, 1 + self.jitter, 3
        ).tolist()
        turns = np.random.uniform(-self.hue, self.hue)
        for step in np.random.permutation(4):
            if step == 0:
                img = img * brightness
            elif step == 1:
                img = blend(img, _centre(img), contrast)
            elif img.shape[2] == COLOURS:
                if step == 2:
                    img = blend(img, _grey(img), saturation)
                else:
                    img = turn_hue(img, turns)
            if limits is not None:
                np.clip(img, *limits, out=img)
        return img


def _check(img: Any) -> None:
    if not isinstance(img, np.ndarray) or img.dtype.kind not in 'iuf':
        raise TypeError(
            'StrongAugmentation changes images of integers or floating numbers, got '
            f'{getattr(img, "dtype", type(img).__name__)}'
        )
    if img.ndim not in (2, 3):
        raise ValueError(
            'StrongAugmentation changes images of shape (H, W) or (H, W, bands), got '
            f'{img.shape}'
        )


def blend(img: np.ndarray, other: np.ndarray, factor: float) -> np.ndarray:
    """`other` for a factor of 0, `img` for 1, and beyond it above.

    >>> float(blend(np.float32([4]), np.float32([2]), 1.5)[0])
    5.0
    """
    return img * factor + other * (1 - factor)


def _grey(img: np.ndarray) -> np.ndarray:
    """The grey image of BGR, in three equal bands."""
    return cv2.merge([cv2.transform(img, GREY_OF_BGR.astype(img.dtype))] * COLOURS)


def _centre(img: np.ndarray) -> np.ndarray:
    """The level around which contrast changes, as one row (1, W, bands)."""
    height, width, bands = img.shape
    # NumPy is slow at a short last axis: a whole row is summed, and given back.
    sums = img.reshape(height, -1).sum(0, dtype=np.float64).reshape(width, bands)
    means = sums.sum(0) / (height * width)
    if bands == COLOURS:
        means[:] = GREY_OF_BGR[0].astype(np.float64) @ means
    return np.tile(means.astype(img.dtype), (1, width, 1))


def turn_hue(img: np.ndarray, turns: float) -> np.ndarray:
    """The image (H, W, 3) of floating BGR with its hue turned by a part of the circle.

    An image with a negative value has no hue and comes back as it is.

    >>> turn_hue(np.float32([[[0, 0, 9]]]), 1 / 3).round().tolist()
    [[[0.0, 9.0, 0.0]]]
    """
    if img.min() < 0:
        return img
    hsv = cv2.cvtColor(img.astype(np.float32), cv2.COLOR_BGR2HSV)
    hsv[..., 0] += TURN * (turns % 1)  # the way back takes more than one turn
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(img.dtype)
