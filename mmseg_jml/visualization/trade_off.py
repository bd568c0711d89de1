"""Two measures of the same runs against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from .series import HANDLE_WIDTH, NAME_HEIGHT, colour, marker, name_width

WIDTH, HEIGHT = 4.6, 4.2  # inches, without the names


def trade_off(
    kinds: Mapping[str, Sequence[tuple[float, float]]], *, xlabel: str, ylabel: str
) -> Figure:
    """Each run is a small point, the mean of its kind a large one.

    Args:
        kinds: By name, (x, y) of each run, at least one.
        xlabel, ylabel: The measures and their units.

    Raises:
        ValueError: There is no kind, or one without runs.

    >>> runs = {'CE': [(1.0, 44.0)], 'JML': [(7.5, 48.0), (7.9, 48.2)]}
    >>> trade_off(runs, xlabel='ECE (%)', ylabel='mIoU (%)').axes[0].get_ylabel()
    'mIoU (%)'
    """
    if not kinds or not all(kinds.values()):
        raise ValueError('`kinds` must hold at least one, each with runs')
    width = WIDTH + HANDLE_WIDTH + name_width(kinds)
    height = max(HEIGHT, NAME_HEIGHT * (len(kinds) + 1))
    figure = Figure(figsize=(width, height), dpi=130, layout='constrained')
    axes = figure.subplots()
    for index, (name, runs) in enumerate(kinds.items()):
        x, y = zip(*runs, strict=True)
        style = {'color': colour(index), 'marker': marker(index), 'linestyle': 'none'}
        if len(runs) > 1:
            axes.plot(x, y, **style, markersize=4, alpha=0.55)
        mean = sum(x) / len(x), sum(y) / len(y)
        axes.plot(*mean, **style, markersize=9, markeredgecolor='white', label=name)
    axes.set_xlabel(xlabel, fontsize=9)
    axes.set_ylabel(ylabel, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color='#DDDDDD', linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(loc='outside right center', frameon=False, fontsize=9)
    return figure
