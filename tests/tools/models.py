"""Checkpoints and pictures for tests of the tools, made without training."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from tests.processes import ROOT

TINY = ROOT / 'tests' / 'tools' / 'tiny.py'
BINARY = {
    'model.decode_head.num_classes': 2,
    'model.decode_head.out_channels': 1,
    'model.decode_head.threshold': 0.4,
    'model.decode_head.loss_decode.use_sigmoid': True,
}


def write_config(path: Path, changes: dict | None = None) -> Path:
    """The tiny config with `changes`, as a file."""
    cfg = Config.fromfile(TINY)
    cfg.merge_from_dict(changes or {})
    cfg.dump(path)
    return path


def write_checkpoint(path: Path, config: Path, *, gain: float = 1.0) -> Path:
    """Random weights, the same each time; `gain` multiplies the logits."""
    cfg = Config.fromfile(config)
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    with torch.no_grad():
        model.decode_head.conv_seg.weight.normal_(std=gain)
    meta = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': []}).metainfo
    classes = max(model.decode_head.num_classes, 2)
    meta = {key: list(meta[key])[:classes] for key in ('classes', 'palette')}
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
