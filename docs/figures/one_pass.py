"""Draw how a pass goes over the logits: `python docs/figures/one_pass.py`."""

import argparse
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

OUT = Path(__file__).resolve().parent.parent / 'images' / 'one-pass.png'
BLUE, RED, GREY = '#1B6CA8', '#D1495B', '#E8ECEF'
CHUNKS = 4


def box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    """A box with a text, centred at a place."""
    style = {'boxstyle': 'round,pad=0.5', 'facecolor': GREY, 'edgecolor': colour}
    axes.text(x, y, text, ha='center', va='center', fontsize=9, bbox=style)


def arrow(axes: Axes, start: tuple, end: tuple, colour: str) -> None:
    """An arrow between two places."""
    axes.annotate('', end, start, arrowprops={'arrowstyle': '->', 'color': colour})


def figure() -> Figure:
    """Logits in chunks, the sums, the losses, and the way back."""
    drawn = Figure(figsize=(9, 2.8), dpi=80, layout='constrained')
    axes = drawn.subplots()
    for index in range(CHUNKS):
        y = 3 - index
        box(axes, 0, y, f'logits, chunk {index + 1}', BLUE)
        box(axes, 8.6, y, f'gradient, chunk {index + 1}', RED)
        arrow(axes, (0.9, y), (2.1, 1.7), BLUE)
        arrow(axes, (6.5, 1.7), (7.6, y), RED)
    box(axes, 2.9, 1.5, 'sums for each\nimage and class', BLUE)
    box(axes, 5.7, 1.5, 'gradient of\nthe sums', RED)
    box(axes, 4.3, 3.0, 'losses', 'black')
    arrow(axes, (3.2, 2.0), (4.0, 2.8), BLUE)
    arrow(axes, (4.6, 2.8), (5.4, 2.0), RED)
    axes.set_xlim(-1, 9.6)
    axes.set_ylim(-0.6, 3.6)
    axes.set_axis_off()
    return drawn


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=OUT, help='the picture')
    figure().savefig(parser.parse_args().out, pil_kwargs={'optimize': True})


if __name__ == '__main__':
    main()
