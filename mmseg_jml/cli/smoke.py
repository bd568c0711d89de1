"""A training run of two steps, which shows that the installation works."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ..schedule import change_length
from ..shipped import find_config, leaves

STEPS = 2
SMALL = {
    'train_cfg.val_interval': STEPS,
    'train_dataloader.batch_size': 2,
    'train_dataloader.dataset.length': 4,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.dataset.length': 1,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'default_hooks.checkpoint.interval': STEPS,
}


def smoke_training() -> str:
    """Train, validate and save the model of the demo, and return a sentence about it.

    Raises:
        Exception: any error of the training run.
    """
    from mmengine.config import Config
    from mmengine.runner import Runner

    from .launch import leave_apple_gpu

    leave_apple_gpu()
    start = time.monotonic()
    leaf = next(leaf for leaf in leaves() if leaf.startswith('demo/') and 'jml' in leaf)
    cfg = Config.fromfile(find_config(leaf))
    change_length(cfg, STEPS)
    cfg.merge_from_dict(SMALL)
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = folder
        runner = Runner.from_cfg(cfg)
        runner.train()
        if not (Path(folder) / f'iter_{STEPS}.pth').is_file():
            raise FileNotFoundError(f'there is no checkpoint after {STEPS} iterations')
    seconds = time.monotonic() - start
    device = next(runner.model.parameters()).device.type
    return (
        f'training: {STEPS} steps, validation, checkpoint: {seconds:.0f} s on {device}'
    )
