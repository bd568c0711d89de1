"""Draw what losses learn from four annotators: `python docs/figures/soft_labels.py`.

This is the figure of README.md. Only the logits of one image are trained, so it shows
the optimum of each loss, without any network.
"""

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from mmseg_jml.functional import jaccard_loss
from mmseg_jml.functional.jaccard import Variant

OUT = Path(__file__).resolve().parent.parent / 'images' / 'soft-labels.png'
SIZE = 64
STEPS = 600  # of gradient descent
# Annotator by annotator: the centre and the radii of an ellipse, of a side of 1.
ANNOTATORS = (
    (0.50, 0.50, 0.20, 0.20),
    (0.52, 0.48, 0.26, 0.24),
    (0.49, 0.53, 0.33, 0.29),
    (0.54, 0.50, 0.40, 0.36),
)
LOSSES: dict[str, Variant] = {
    'soft Jaccard loss': 'sjl_l1',
    'Jaccard metric loss': 'jml1',
}


def votes() -> Tensor:
    """The share of the annotators that mark each pixel: (1,1,H,W)."""
    place = (torch.arange(SIZE) + 0.5) / SIZE
    masks = [
        ((place[:, None] - y) / b) ** 2 + ((place - x) / a) ** 2 <= 1
        for x, y, a, b in ANNOTATORS
    ]
    return torch.stack(masks).double().mean(0)[None, None]


def optimum(target: Tensor, variant: Variant) -> Tensor:
    """The probabilities that gradient descent on the loss ends with: (1,1,H,W)."""
    logits = torch.zeros_like(target).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        probs = logits.sigmoid()
        jaccard_loss(probs, target, variant=variant, sigmoid=True).backward()
        optimizer.step()
        schedule.step()
    return logits.detach().sigmoid()


def figure() -> Figure:
    """The label, and what each loss ends with."""
    target = votes()
    shares = {'label: share of 4 annotators': target}
    for name, variant in LOSSES.items():
        probs = optimum(target, variant)
        error = 100 * (probs - target).abs().mean().item()
        shares[f'learnt with the {name}:\n{error:.1f} % away from the label'] = probs
    drawn = Figure(figsize=(9, 2.9), dpi=80, layout='constrained')
    panels = drawn.subplots(1, len(shares))
    for axes, (title, share) in zip(panels, shares.items(), strict=True):
        image = axes.imshow(share[0, 0].numpy(), vmin=0, vmax=1, cmap='viridis')
        axes.set(xticks=[], yticks=[])
        axes.set_title(title, fontsize=10)
    drawn.colorbar(image, ax=panels, label='probability')
    return drawn


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=OUT, help='the file to write')
    figure().savefig(parser.parse_args().out, pil_kwargs={'optimize': True})


if __name__ == '__main__':
    main()
