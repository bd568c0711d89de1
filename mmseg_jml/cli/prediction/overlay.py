"""Draw the predicted classes over an image, with a legend below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LONGEST = 2048  # pixels of the longer side: an overlay is to be looked at
OPACITY = 0.5
LINE, PATCH, MARGIN = 22, 14, 8  # pixels of the legend


def overlay(
    image: np.ndarray,
    prediction: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> Image.Image:
    """The image with the colours of its classes over it, and a legend below.

    Args:
        image: (h, w, 3) uint8 RGB.
        prediction: (H, W) class ids; the image is resized to it. Both are reduced where
            the longer side has more than `LONGEST` pixels.
        classes: The names of the classes.
        palette: RGB of each class.

    Raises:
        ValueError: A predicted class has no colour.
    """
    found = np.unique(prediction)
    if found[-1] >= len(palette):
        raise ValueError(
            f'the overlay needs a colour for class {found[-1]}, but the `palette` of '
            f'the checkpoint or the dataset has only {len(palette)} colours'
        )
    ids = Image.fromarray(prediction)
    scale = min(1.0, LONGEST / max(ids.size))
    size = tuple(max(1, round(side * scale)) for side in ids.size)
    colours = np.asarray(palette, np.uint8)
    painted = Image.fromarray(colours[np.asarray(ids.resize(size, Image.NEAREST))])
    mixed = Image.blend(Image.fromarray(image).resize(size), painted, OPACITY)
    names = [classes[i] if i < len(classes) else str(i) for i in found]
    return _above_legend(mixed, names, [tuple(palette[i]) for i in found])


def _above_legend(
    image: Image.Image, names: Sequence[str], colours: Sequence[tuple[int, ...]]
) -> Image.Image:
    font = ImageFont.load_default()
    widest = max(round(font.getlength(name)) for name in names)
    column = PATCH + widest + 3 * MARGIN
    columns = max(1, min(len(names), image.width // column))
    lines = -(-len(names) // columns)
    width = max(image.width, column)
    sheet = Image.new('RGB', (width, image.height + lines * LINE + MARGIN), 'white')
    sheet.paste(image)
    draw = ImageDraw.Draw(sheet)
    for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
        left = MARGIN + number % columns * column
        top = image.height + MARGIN + number // columns * LINE
        corners = (left, top, left + PATCH, top + PATCH)
        draw.rectangle(corners, fill=colour, outline='black')
        draw.text((left + PATCH + MARGIN, top + 1), name, fill='black', font=font)
    return sheet
