"""What `ShapeScene` can draw: a name, a label colour, an outline and a texture each."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator


@dataclass(frozen=True)
class Kind:
    """A class of the synthetic images.

    Args:
        name: The class name.
        colour: RGB of the class in label images.
        texture: A key of `TEXTURES`.
        hue: Where on the colour circle, in [0, 1), the shapes' colours lie most often.
        vivid: Strong and bright colours, for a class that is seen too seldom to be
            learned from its form.
    """

    name: str
    colour: tuple[int, int, int]
    texture: str = 'plain'
    hue: float = 0.0
    vivid: bool = False


# Okabe and Ito's colours, told apart with any colour vision, then a wine and a white.
KINDS = (
    Kind('background', (60, 60, 60)),
    Kind('line', (240, 228, 66), 'plain', 0.15),
    Kind('star', (213, 94, 0), 'plain', 0.02, vivid=True),
    Kind('disk', (86, 180, 233), 'checks', 0.55),
    Kind('box', (0, 158, 115), 'stripes', 0.42),
    Kind('triangle', (204, 121, 167), 'dots', 0.85),
    Kind('ring', (0, 114, 178), 'stripes', 0.65),
    Kind('cross', (230, 159, 0), 'checks', 0.1),
    Kind('hexagon', (136, 34, 85), 'plain', 0.95),
    Kind('crescent', (238, 238, 238), 'dots', 0.3),
)
LINE, STAR = 1, 2  # the thin class and the rare class


def outline(class_id: int, rng: Generator) -> list[np.ndarray]:
    """Corners of a shape of radius 1 around 0, in a random pose.

    Returns:
        Closed polygons, each (corners, 2) as (x, y). A pixel is inside the shape if
        it is inside an odd number of them.
    """
    turn = rng.uniform(0, 2 * np.pi)
    squeeze = np.array([1, rng.uniform(0.7, 1)])
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return [(corners * squeeze) @ turned for corners in _OUTLINES[KINDS[class_id].name]]


def curve(height: int, width: int, rng: Generator) -> np.ndarray:
    """Points of a bent line that crosses an image, (points, 2) as (x, y)."""
    through = rng.uniform(0.15, 0.85, 2) * (width, height)
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    place = np.linspace(-1, 1, 33)[:, None] * np.hypot(height, width)
    wave = 2 * np.pi / (min(height, width) * rng.uniform(0.6, 1.5))
    swing = min(height, width) * rng.uniform(0.02, 0.08)
    bend = swing * np.sin(wave * place + rng.uniform(0, 2 * np.pi))
    return through + place * along + bend * across


def paint(
    class_id: int, rows: np.ndarray, columns: np.ndarray, rng: Generator
) -> np.ndarray:
    """Colour and texture of one shape at the given pixels.

    Args:
        class_id: Which kind.
        rows: (H, W) float row numbers.
        columns: (H, W) float column numbers.
        rng: The source of chance.

    Returns:
        (H, W, 3) float32, about 0 to 255.
    """
    kind = KINDS[class_id]
    hue = (kind.hue + rng.normal(0, 0.1)) % 1
    saturation, value = rng.uniform(0.15, 0.55), rng.uniform(0.35, 0.95)
    if kind.vivid:
        saturation, value = saturation + 0.4, max(value, 0.75)
    rgb = colorsys.hsv_to_rgb(hue, saturation, value)
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 9)
    wave = np.float32(2 * np.pi / period)
    u = wave * (np.float32(np.cos(angle)) * columns + np.float32(np.sin(angle)) * rows)
    v = wave * (np.float32(np.cos(angle)) * rows - np.float32(np.sin(angle)) * columns)
    strength = np.float32(rng.uniform(12, 32))
    colour = 255 * np.array(rgb[::-1], np.float32)
    return colour + (strength * _TEXTURES[kind.texture](u, v))[..., None]


def _regular(corners: int) -> np.ndarray:
    angles = np.arange(corners) * 2 * np.pi / corners
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star() -> np.ndarray:
    return _regular(10) * np.where(np.arange(10) % 2, 0.45, 1)[:, None]


def _cross() -> np.ndarray:
    arm = np.array([[1, -0.33], [1, 0.33], [0.33, 0.33]])
    quarter = np.array([[0, 1], [-1, 0]])
    turns = [np.linalg.matrix_power(quarter, turn) for turn in range(4)]
    return np.concatenate([arm @ turned for turned in turns])


def _crescent() -> np.ndarray:
    angles = np.linspace(0.35, 2 * np.pi - 0.35, 32)
    outer = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inner = outer[::-1] * 0.75 + (0.25 * np.cos(0.35), 0)
    return np.concatenate([outer, inner])


_OUTLINES = {
    'star': [_star()],
    'disk': [_regular(36)],
    'box': [np.array([[-1, -0.7], [1, -0.7], [1, 0.7], [-1, 0.7]])],
    'triangle': [_regular(3)],
    'ring': [_regular(36), _regular(36) * 0.5],
    'cross': [_cross()],
    'hexagon': [_regular(6)],
    'crescent': [_crescent()],
}
_TEXTURES = {
    'plain': lambda u, v: np.zeros_like(u),
    'stripes': lambda u, v: np.sin(u),
    'checks': lambda u, v: np.sign(np.sin(u)) * np.sign(np.sin(v)),
    'dots': lambda u, v: 2 * np.sin(u) ** 2 * np.sin(v) ** 2 - 0.5,
}
