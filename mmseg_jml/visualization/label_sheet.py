"""Images under their labels, to see whether the two fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .sheet import CELL_HEIGHTS, IGNORED, Colour, add_legend, paint_label

LONGEST_SIDE = 640  # pixels; no cell of a sheet shows more


def label_sheet(
    pictures: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    *,
    classes: Sequence[str],
    palette: Sequence[Colour],
    ignore_index: int = 255,
) -> Figure:
    """One row an image: the image, the label laid over it, the label.

    Args:
        pictures: (H, W, 3) uint8 RGB each; they may differ in size.
        labels: (H, W) integers each, in [0, C) or ignored, which is shown hatched.
        classes: The C class names; the legend has those that occur.
        palette: An RGB colour in 0 to 255 a class.
        ignore_index: The id of ignored pixels.

    Returns:
        A figure to be saved with `figure.savefig(path)`.

    Raises:
        ValueError: There is no image, a label has not its image's size or holds
            another id, or numbers of images and labels or colours differ.

    >>> picture, label = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), int)
    >>> sheet = label_sheet([picture], [label], classes=['a'], palette=[(90, 90, 90)])
    >>> [axes.get_title() for axes in sheet.axes]
    ['picture', 'label over it', 'label']
    """
    if not len(pictures) or len(pictures) != len(labels):
        raise ValueError(
            f'`pictures` and `labels` must have the same length, at least 1, '
            f'got {len(pictures)} and {len(labels)}'
        )
    if len(palette) != len(classes):
        raise ValueError(
            f'`palette` must hold a colour for each of the {len(classes)} `classes`, '
            f'got {len(palette)}'
        )
    aspect = pictures[0].shape[1] / pictures[0].shape[0]
    height = CELL_HEIGHTS[1]
    size = (3 * height * aspect + 0.4, height * len(pictures) + 0.9)
    figure = Figure(figsize=size, dpi=130, layout='constrained')
    grid = figure.subplots(len(pictures), 3, squeeze=False)
    occurring: set[int] = set()
    for axes, picture, label in zip(grid, pictures, labels, strict=True):
        if label.shape != picture.shape[:2]:
            raise ValueError(
                f"a label must have its image's size {picture.shape[:2]}, "
                f'got {label.shape}'
            )
        step = -(-max(label.shape) // LONGEST_SIDE)
        small, label = picture[::step, ::step], label[::step, ::step]
        painted = paint_label(label, palette, ignore_index=ignore_index)
        # A mean of the two, without the overflow of uint8.
        over = (small // 2) + (painted // 2)
        for cell, image in zip(axes, (small, over, painted), strict=True):
            cell.imshow(image)
            cell.set_axis_off()
        occurring.update(np.unique(label).tolist())
    for cell, title in zip(grid[0], ('picture', 'label over it', 'label'), strict=True):
        cell.set_title(title, fontsize=10)
    _add_legend(figure, sorted(occurring - {ignore_index}), classes, palette)
    return figure


def _add_legend(
    figure: Figure,
    shown: Sequence[int],
    classes: Sequence[str],
    palette: Sequence[Colour],
) -> None:
    patches = [
        Patch(
            facecolor=[channel / 255 for channel in palette[index]],
            edgecolor='black',
            linewidth=0.5,
            label=classes[index],
        )
        for index in shown
    ]
    patches.append(IGNORED)
    add_legend(figure, patches)
