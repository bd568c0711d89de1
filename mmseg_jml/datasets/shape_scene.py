"""The images of `SyntheticShapesDataset`: numpy and OpenCV alone, no framework."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.random import Generator

from ..functional.checks import check_int
from .shape_kinds import KINDS, LINE, STAR, curve, outline, paint

IGNORED = 255
MIN_CLASSES = 4  # the ground, the thin class, the rare class, one ordinary shape
MIN_SIDE = 32  # pixels: below it shapes are blots
STAR_SHARE = 0.35  # of the images hold a star
RIM_SHARE = 0.3  # of the shapes have an ignored rim
SUBPIXEL_BITS = 4  # OpenCV's fixed-point fraction of a corner's place


@dataclass(frozen=True)
class ShapeScene:
    """Everything that fixes the images of a synthetic dataset.

    An image shows overlapping textured shapes on a textured ground. Its edges are
    blurred and noisy, and the label follows them as a wavering hand would: the class
    of a pixel at a boundary is uncertain even to whoever knows how it was drawn.

    Args:
        height: Rows of an image, at least 32.
        width: Columns of an image, at least 32.
        num_classes: From 4 to 10, the first of `KINDS`: the background, the line
            (thin), the star (rare), and one ordinary shape or more.
        seed: At least 0; another seed is another dataset.
        edge_blur: Largest standard deviation, in pixels, of an edge; 0 is sharp.
        edge_jitter: Standard deviation, in pixels, of the label's edge around the
            image's; 0 is an exact label.
        rim: Width, in pixels to either side of an outline, of the ignored band (255)
            that some shapes have; 0 is none.

    Raises:
        TypeError: A whole number was expected and something else came.
        ValueError: A number lies outside its range.

    >>> picture, label = ShapeScene(height=64, width=96).render(0)
    >>> picture.shape, label.shape
    ((64, 96, 3), (64, 96))
    """

    height: int = 160
    width: int = 224
    num_classes: int = 6
    seed: int = 0
    edge_blur: float = 2.0
    edge_jitter: float = 0.8
    rim: int = 1

    def __post_init__(self) -> None:
        for name in ('height', 'width', 'num_classes', 'seed', 'rim'):
            check_int(name, getattr(self, name))
        if self.unit < MIN_SIDE:
            got = (self.height, self.width)
            raise ValueError(f'`size` must be (H, W) from {MIN_SIDE} up, got {got}')
        if not MIN_CLASSES <= self.num_classes <= len(KINDS):
            allowed = f'from {MIN_CLASSES} to {len(KINDS)}'
            raise ValueError(f'`num_classes` must be {allowed}, got {self.num_classes}')
        for name in ('seed', 'edge_blur', 'edge_jitter', 'rim'):
            value = getattr(self, name)
            if not 0 <= value < float('inf'):
                raise ValueError(f'`{name}` must be finite and >= 0, got {value!r}')

    @property
    def unit(self) -> int:
        """The shorter side in pixels, by which shapes are measured."""
        return min(self.height, self.width)

    def render(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw picture `index`: same scene and index, same bytes, in any process.

        Returns:
            The image, (H, W, 3) uint8 in OpenCV's BGR order, and its label,
            (H, W) uint8: class ids, 255 where ignored.
        """
        rng = np.random.default_rng((self.seed, index))
        picture = self._ground(rng)
        label = np.zeros((self.height, self.width), np.uint8)
        for class_id in self._cast(rng):
            self._draw(picture, label, int(class_id), rng)
        grain = rng.standard_normal(picture.shape, np.float32)
        picture += np.float32(rng.uniform(4, 14)) * grain
        return np.clip(picture, 0, 255).astype(np.uint8), self._waver(label, rng)

    @cached_property
    def _pixels(self) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.mgrid[: self.height, : self.width].astype(np.float32)
        return rows, columns

    def _smooth_noise(self, rng: Generator, cell: int, channels: int) -> np.ndarray:
        """(H, W, channels) float32 around 0, varying over about `cell` pixels."""
        size = (self.height // cell + 2, self.width // cell + 2, channels)
        noise = rng.standard_normal(size, np.float32)
        noise = cv2.resize(
            noise, (self.width, self.height), None, 0, 0, cv2.INTER_CUBIC
        )
        return noise.reshape(self.height, self.width, channels)

    def _cast(self, rng: Generator) -> np.ndarray:
        """The class ids to draw, from the back to the front."""
        ordinary = rng.integers(STAR + 1, self.num_classes, rng.integers(5, 10))
        lines = np.full(rng.integers(1, 4), LINE)
        stars = np.full(int(rng.random() < STAR_SHARE), STAR)
        return rng.permutation(np.concatenate([ordinary, lines, stars]))

    def _ground(self, rng: Generator) -> np.ndarray:
        grey = rng.uniform(80, 160) + rng.normal(0, 14, 3)
        coarse = self._smooth_noise(rng, self.unit // 3, 1)
        tint = self._smooth_noise(rng, self.unit // 2, 3)
        fine = self._smooth_noise(rng, 7, 1)
        return grey.astype(np.float32) + 28 * coarse + 12 * tint + 12 * fine

    def _draw(
        self, picture: np.ndarray, label: np.ndarray, class_id: int, rng: Generator
    ) -> None:
        """Paint one shape over image and label, in place."""
        sigma = self.edge_blur * rng.uniform(0.4, 1)
        margin = int(3 * sigma) + self.rim + 4
        mask, where = self._mask(class_id, margin, rng)
        rows, columns = (grid[where] for grid in self._pixels)
        view = picture[where]
        alpha = mask.astype(np.float32)
        if sigma > 0:
            alpha = cv2.GaussianBlur(alpha, (0, 0), sigma)
        view += alpha[..., None] * (paint(class_id, rows, columns, rng) - view)
        label[where][mask > 0] = class_id
        if class_id != LINE and rng.random() < RIM_SHARE and self.rim > 0:
            around = np.ones((2 * self.rim + 1,) * 2, np.uint8)
            band = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, around)
            label[where][band > 0] = IGNORED

    def _mask(
        self, class_id: int, margin: int, rng: Generator
    ) -> tuple[np.ndarray, tuple[slice, slice]]:
        """A shape's mask (uint8, 0 or 1) and the window of the image it fills."""
        size = (self.width, self.height)
        if class_id == LINE:
            polygons = [curve(self.height, self.width, rng)]
        else:
            radius = self.unit * rng.uniform(0.09, 0.26)
            if class_id == STAR:
                radius = self.unit * rng.uniform(0.08, 0.13)
            centre = rng.uniform(0, 1, 2) * size
            polygons = [centre + radius * part for part in outline(class_id, rng)]
        corners = np.concatenate(polygons)
        low = np.clip(corners.min(0) - margin, 0, size).astype(int)
        high = np.clip(corners.max(0) + margin, 0, size).astype(int)
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        fixed = [
            np.round((part - low) * 2**SUBPIXEL_BITS).astype(np.int32)
            for part in polygons
        ]
        if class_id == LINE:
            thickness = max(1, round(self.unit * rng.uniform(0.012, 0.025)))
            cv2.polylines(mask, fixed, False, 1, thickness, cv2.LINE_8, SUBPIXEL_BITS)
        else:
            cv2.fillPoly(mask, fixed, 1, cv2.LINE_8, SUBPIXEL_BITS)
        return mask, (slice(low[1], high[1]), slice(low[0], high[0]))

    def _waver(self, label: np.ndarray, rng: Generator) -> np.ndarray:
        """The label as a hand draws it: edges displaced by a smooth random field."""
        rows, columns = self._pixels
        shift = np.float32(self.edge_jitter / 0.7) * self._smooth_noise(rng, 11, 2)
        return cv2.remap(
            label,
            columns + shift[..., 0],
            rows + shift[..., 1],
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_REPLICATE,
        )
