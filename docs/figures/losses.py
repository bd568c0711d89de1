"""Redraw figures 1 to 3 of the paper: `python docs/figures/losses.py`."""

import argparse
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from mmseg_jml.functional.jaccard import Variant, overlap_loss, overlap_sums

OUT = Path(__file__).resolve().parent.parent / 'images' / 'losses.png'
STYLES: dict[Variant, dict[str, str]] = {
    'jml1': {'color': '#1B6CA8', 'linestyle': '-', 'label': 'JML1'},
    'jml2': {'color': '#D1495B', 'linestyle': '--', 'label': 'JML2'},
    'sjl_l1': {'color': '#66A182', 'linestyle': '-.', 'label': 'soft Jaccard, L1'},
    'sjl_l2': {'color': '#8D6A9F', 'linestyle': ':', 'label': 'soft Jaccard, L2'},
}
# Appendix D: two predictions, for y = (0.5, 0.5), that lie in one corner y, a, b.
ONE, OTHER = torch.tensor([[0.4087, 0.7855], [0.6285, 0.7551]]).double()


def loss(x: Tensor, y: float, variant: Variant) -> Tensor:
    """The loss of one class over P pixels, for each of x (*,P): (*)."""
    points = x.reshape(-1, 1, x.shape[-1])
    sums = overlap_sums(points, torch.full_like(points, y), variant=variant)
    return overlap_loss(sums, smooth=0.0).view(x.shape[:-1])


def over_predictions(axes: Axes, y: float, variants: tuple[Variant, ...]) -> None:
    """The losses of one pixel of label y over its prediction."""
    x = torch.linspace(0, 1, 401).double()
    for variant in variants:
        axes.plot(x, loss(x[:, None], y, variant), **STYLES[variant])
    axes.axvline(y, color='grey', linewidth=0.8)
    axes.set(xlabel='prediction x', ylabel='loss', xlim=(0, 1), ylim=(0, 1.02))


def chords(axes: Axes, y: float) -> None:
    """The convex closure over [0, y] and [y, 1]: chords between their ends."""
    ends = torch.tensor([0.0, y, 1.0]).double()
    values = loss(ends[:, None], y, 'jml1')
    closure = {'color': 'black', 'linewidth': 0.9, 'label': 'convex closure'}
    axes.plot(ends, values, **closure)


def corner(axes: Axes) -> None:
    """JML1 of two pixels, with the corner and the two predictions in it."""
    steps = torch.linspace(0, 1, 61).double()
    grid = torch.stack(torch.meshgrid(steps, steps, indexing='xy'), -1)
    lines = axes.contour(steps, steps, loss(grid, 0.5, 'jml1'), 9, cmap='viridis')
    axes.clabel(lines, fontsize=6)
    axes.fill([0.5, 0, 1], [0.5, 1, 1], color='grey', alpha=0.2)
    for place, name in (((0.5, 0.46), 'y'), ((0.02, 0.94), 'a'), ((0.94, 0.94), 'b')):
        axes.annotate(name, place)
    axes.plot(*torch.stack([ONE, OTHER]).T, 'o-', color='black', markersize=3)
    axes.set(xlabel='pixel 1', ylabel='pixel 2', aspect='equal')


def along_the_chord(axes: Axes) -> None:
    """How far the losses lie above the chord between the two predictions."""
    t = torch.linspace(0, 1, 101).double()
    points = ONE + t[:, None] * (OTHER - ONE)
    for variant in ('jml1', 'jml2'):
        values = loss(points, 0.5, variant)
        chord = values[0] + t * (values[-1] - values[0])
        axes.plot(t, 1000 * (values - chord), **STYLES[variant])
    axes.axhline(0, color='grey', linewidth=0.8)
    axes.set(xlabel="from x to x'", ylabel='loss - chord, 1/1000', xlim=(0, 1))


def figure() -> Figure:
    """The three figures in four panels."""
    drawn = Figure(figsize=(11, 3.2), dpi=80, layout='constrained')
    first, second, third, fourth = drawn.subplots(1, 4)
    over_predictions(first, 0.05, ('jml1', 'jml2', 'sjl_l1', 'sjl_l2'))
    first.set_title('figure 1: y = 0.05', fontsize=10)
    over_predictions(second, 0.5, ('jml1', 'jml2', 'sjl_l1', 'sjl_l2'))
    chords(second, 0.5)
    second.set_title('figure 2: y = 0.5', fontsize=10)
    corner(third)
    third.set_title('figure 3: JML1, y = (0.5, 0.5)', fontsize=10)
    along_the_chord(fourth)
    fourth.set_title('figure 3: along the chord', fontsize=10)
    handles, _ = second.get_legend_handles_labels()
    drawn.legend(handles=handles, loc='outside lower center', ncols=5, frameon=False)
    return drawn


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=OUT, help='the picture')
    figure().savefig(parser.parse_args().out, pil_kwargs={'optimize': True})


if __name__ == '__main__':
    main()
