"""A confusion matrix as a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

MOST_NUMBERS = 25  # classes up to which each cell shows its number
CELL, NAMES = 0.45, 2.2  # inches


def confusion_figure(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """The share of each class's pixels that is predicted as each class.

    A row is a class of the label and adds up to 100 %; a column is a predicted class,
    so the diagonal is right. A class without a pixel has an empty row. Up to 25 classes
    the cells show their numbers.

    Args:
        counts: Pixels (C, C) by label, then by prediction.
        classes: The C class names.

    Raises:
        ValueError: `counts` is not (C, C) for the C classes.

    >>> figure = confusion_figure(np.array([[3, 1], [0, 4]]), ['ground', 'cat'])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['75', '25', '0', '100']
    """
    number = len(classes)
    if counts.shape != (number, number):
        raise ValueError(
            f'`counts` must be ({number}, {number}), as there are {number} classes, '
            f'got {counts.shape}'
        )
    shares = row_shares(counts)
    side = max(3.0, CELL * number if number <= MOST_NUMBERS else 10.0)
    figure = Figure(
        figsize=(side + NAMES + 0.8, side + NAMES), dpi=130, layout='constrained'
    )
    axes = figure.subplots()
    image = axes.imshow(shares, 'viridis', vmin=0, vmax=100)
    axes.set_xticks(range(number), classes, rotation=90, fontsize=8)
    axes.set_yticks(range(number), classes, fontsize=8)
    axes.set_xlabel('predicted as', fontsize=9)
    axes.set_ylabel('labelled as', fontsize=9)
    if number <= MOST_NUMBERS:
        for row, column in zip(*np.nonzero(np.isfinite(shares)), strict=True):
            share = shares[row, column]
            colour = 'black' if share > 60 else 'white'
            centre = {'ha': 'center', 'va': 'center'}
            axes.text(column, row, f'{share:.0f}', fontsize=7, color=colour, **centre)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("% of the label's pixels", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def row_shares(counts: np.ndarray) -> np.ndarray:
    """Each row (C,) of counts (C, C) in per cent of its sum; NaN where that is 0.

    >>> row_shares(np.array([[3, 1], [0, 0]])).tolist()
    [[75.0, 25.0], [nan, nan]]
    """
    total = counts.sum(1, keepdims=True)
    shares = np.full(counts.shape, np.nan)
    np.divide(100 * counts, total, out=shares, where=total > 0)
    return shares
