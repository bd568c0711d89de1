"""Draw what boundary smoothing does to a label: `python docs/figures/boundaries.py`."""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.registry import init_default_scope

from mmseg_jml.datasets import SyntheticShapesDataset
from mmseg_jml.functional import boundary_mask
from mmseg_jml.labels import BoundaryLabelSmoothing
from mmseg_jml.visualization import paint_label

OUT = Path(__file__).resolve().parent.parent / 'images' / 'smooth-boundaries.png'
EPSILON = 0.5
PART = (slice(30, 94), slice(90, 178))  # rows and columns of the picture


def scene() -> tuple[np.ndarray, np.ndarray, list]:
    """A part of a synthetic picture, its label, and the classes' colours."""
    init_default_scope('mmseg')  # LoadAnnotations is also the name of mmcv's
    dataset = SyntheticShapesDataset(
        length=8,
        seed=3,
        pipeline=[{'type': 'LoadImageFromFile'}, {'type': 'LoadAnnotations'}],
    )
    loaded = dataset[2]
    picture = loaded['img'][..., ::-1][PART]
    return picture, loaded['gt_seg_map'][PART], dataset.metainfo['palette']


def own_share(label: torch.Tensor, kernel_size: int, classes: int) -> np.ndarray:
    """The target of each pixel's own class (H,W), NaN at ignored pixels."""
    smoothing = BoundaryLabelSmoothing(kernel_size=kernel_size, epsilon=EPSILON)
    target = smoothing(label, num_classes=classes)
    share = target.amax(1)[0]
    return share.where(label[0] != 255, torch.nan).numpy()


def figure() -> Figure:
    """Picture, label, mask, and the smoothed label at two kernel sizes."""
    picture, ids, palette = scene()
    label = torch.from_numpy(ids.astype(np.int64))[None]
    drawn = Figure(figsize=(11, 2.1), dpi=80, layout='constrained')
    cells = drawn.subplots(1, 5)
    cells[0].imshow(picture)
    cells[1].imshow(paint_label(ids, palette))
    cells[2].imshow(boundary_mask(label)[0].numpy(), cmap='gray')
    titles = ['picture', 'label', 'boundary, k = 3']
    for cell, kernel_size in zip(cells[3:], (3, 7), strict=True):
        share = own_share(label, kernel_size, len(palette))
        shown = cell.imshow(share, cmap='viridis', vmin=0.5, vmax=1)
        titles.append(f'own class, k = {kernel_size}')
    for cell, title in zip(cells, titles, strict=True):
        cell.set_title(title, fontsize=10)
        cell.set_axis_off()
    drawn.colorbar(shown, ax=list(cells[3:]), pad=0.02)
    return drawn


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=OUT, help='the picture')
    figure().savefig(parser.parse_args().out, pil_kwargs={'optimize': True})


if __name__ == '__main__':
    main()
