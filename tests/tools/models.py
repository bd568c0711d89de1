"""Checkpoints and pictures for tests of the tools, made without training."""

from itertools import islice
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, save_checkpoint
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from tests.processes import ROOT

TINY = ROOT / 'tests' / 'tools' / 'tiny.py'
BINARY = {
    'model.decode_head.num_classes': 2,
    'model.decode_head.out_channels': 1,
    'model.decode_head.threshold': 0.4,
    'model.decode_head.loss_decode.use_sigmoid': True,
} | {  # the other shapes are ignored
    f'{split}_dataloader.dataset.metainfo': {'classes': ['background', 'disk']}
    for split in ('train', 'val', 'test')
}


def write_config(path: Path, changes: dict | None = None) -> Path:
    """The tiny config with `changes`, as a file."""
    cfg = Config.fromfile(TINY)
    cfg.merge_from_dict(changes or {})
    cfg.dump(path)
    return path


def write_checkpoint(
    path: Path, config: Path, *, gain: float = 1.0, steps: int = 0
) -> Path:
    """Random weights or some steps of training, the same each time.

    `gain` multiplies the logits.
    """
    cfg = Config.fromfile(config)
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    torch.nn.init.normal_(model.decode_head.conv_seg.weight)
    optim = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-2))
    if steps:
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        for batch in islice(loader, steps):
            model.train_step(batch, optim)
    with torch.no_grad():
        model.decode_head.conv_seg.weight.mul_(gain)
    meta = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': []}).metainfo
    meta = {key: list(meta[key]) for key in ('classes', 'palette')}
    checkpoint = {'state_dict': model.state_dict(), 'meta': {'dataset_meta': meta}}
    save_checkpoint(checkpoint, str(path))
    return path


def write_pictures(folder: Path, names: tuple[str, ...] = ('a.png', 'b.jpg')) -> Path:
    """Random pictures that are not all of one size."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = rng.integers(0, 256, (40 + 4 * number, 60, 3)).astype(np.uint8)
        Image.fromarray(picture).save(path)
    return folder
