"""Build the model of a config and load a checkpoint into it, for every command."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from torch import nn

from ..datasets.check import leaf_datasets
from ..segmentors.teacher import without_pretraining
from ..weights import Weights, load_exactly, read_weights


def load_model(cfg: Config, checkpoint: str, device: str | None = None) -> nn.Module:
    """The model of `cfg` with the weights of a checkpoint, ready to predict.

    Like the model that mmseg's `init_model` returns, it has the attributes `cfg` and
    `dataset_meta`. Unlike there, the checkpoint must have exactly the weights of the
    model, and it may lack `meta`: then the names and colours of the classes come from
    the test dataset of the config.

    Args:
        cfg: The whole config; it is not changed.
        checkpoint: A path or URL.
        device: The device of the model; by default the GPU, if there is one.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It cannot be read, or does not fit the model.
    """
    weights = read_weights(checkpoint)
    cfg = copy.deepcopy(cfg)
    model = build_loaded(cfg, weights, checkpoint)
    number = getattr(model, 'num_classes', None)
    model.dataset_meta = dataset_meta(cfg, weights.meta, number)
    model.cfg = cfg
    device = device or get_device()
    if device == 'cpu':
        model = revert_sync_batchnorm(model)
    return model.to(device).eval()


def check_weights(cfg: Config, checkpoint: str) -> None:
    """Raise unless the model of `cfg` can predict with a checkpoint.

    Raises:
        FileNotFoundError, CheckpointError: As for `load_model`.
    """
    build_loaded(cfg, read_weights(checkpoint), checkpoint)


def build_loaded(cfg: Config, weights: Weights, source: str) -> nn.Module:
    """The model of `cfg` with these weights; pretrained weights are not downloaded.

    Raises:
        CheckpointError: They do not fit.
    """
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    # `--tta` wraps the model.
    config = without_pretraining(copy.deepcopy(cfg.model.get('module') or cfg.model))
    if cfg.get('data_preprocessor'):  # as MMEngine's Runner does
        config.setdefault('data_preprocessor', cfg.data_preprocessor)
    with torch.random.fork_rng(devices=[]):
        model = MODELS.build(config)
    load_exactly(model, weights.state, source)
    return model


def dataset_meta(
    cfg: Config, meta: Mapping[str, Any], num_classes: int | None
) -> dict[str, Any]:
    """Names and colours of the classes, from the checkpoint or else from the config.

    If neither has them, the names are numbers and the colours are drawn at random as
    MMSegmentation does for a dataset without a palette.
    """
    if isinstance(meta.get('dataset_meta'), Mapping):
        found = dict(meta['dataset_meta'])
    elif meta.get('CLASSES'):  # MMSegmentation 0.x
        found = {'classes': meta['CLASSES'], 'palette': meta.get('PALETTE')}
    else:
        found = {}
    known = _of_data_set(cfg)
    colours = dict(zip(known['classes'], known['palette'] or (), strict=False))
    if not found.get('classes'):
        # One class is mmseg's old way to say foreground against background.
        number = max(num_classes or len(known['classes']), 2)
        fits = len(known['classes']) == number
        found['classes'] = known['classes'] if fits else map(str, range(number))
    found['classes'] = tuple(found['classes'])
    if found.get('palette') is None or not len(found['palette']):
        random = np.random.RandomState(42).randint(0, 255, (len(found['classes']), 3))
        found['palette'] = [
            list(colours.get(name, drawn))
            for name, drawn in zip(found['classes'], random.tolist(), strict=True)
        ]
    return found


def _of_data_set(cfg: Config) -> dict[str, Any]:
    """Classes and palette of the test dataset, whose files need not exist."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset')
    if dataset is None:
        return {'classes': (), 'palette': ()}
    try:
        return {'palette': (), 'classes': (), **next(leaf_datasets(dataset)).metainfo}
    except (AssertionError, OSError, TypeError, ValueError):
        return _of_class(dataset)


def _of_class(dataset: Mapping[str, Any]) -> dict[str, Any]:
    while dataset.get('dataset') or dataset.get('datasets'):
        dataset = dataset.get('dataset') or dataset['datasets'][0]
    kind = dataset.get('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    own, given = getattr(kind, 'METAINFO', {}), dataset.get('metainfo') or {}
    names = own.get('classes') or ()
    colours = dict(zip(names, own.get('palette') or (), strict=False))
    chosen = given.get('classes') or names
    palette = given.get('palette') or [colours[c] for c in chosen if c in colours]
    if len(palette) != len(chosen):
        palette = ()
    return {'classes': tuple(chosen), 'palette': palette}
