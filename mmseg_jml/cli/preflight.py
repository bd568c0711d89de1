"""Checks that find errors before a training run starts."""

import os
from datetime import timedelta
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope

from ..datasets.check import check_dataset, leaf_datasets
from ..datasets.listing import lacks_masks, listing_trouble
from ..datasets.semi_sampler import check_loader
from .options import metrics_of

# Metrics that need masks.
COMPARING = ('IoUMetric', 'CalibrationMetric', 'FineGrainedIoUMetric')
NO_CHECK = '--no-check'
INFINITE = ('InfiniteSampler', 'SemiSupervisedSampler')
OVERRIDE = f'(Add `{NO_CHECK}` to train anyway.)'


def check_loaders(cfg: Config) -> None:
    """Raise unless every batch has the same ratio of unlabelled images.

    Raises:
        ValueError: the ratio would vary; the message names the loader.
    """
    for key in ('train_dataloader', 'val_dataloader'):
        if cfg.get(key) is not None:
            try:
                check_loader(cfg[key])
            except ValueError as error:
                raise ValueError(f'the dataset of `{key}`: {error}') from error


def check_data_sets(cfg: Config) -> None:
    """List the datasets of training and validation and read some of the masks.

    Raises:
        ValueError: `check_dataset` finds a problem; the message names the loader, and
            the flag that starts the training anyway.
    """
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    for key in ('train_dataloader', 'val_dataloader'):
        loader = cfg.get(key)
        if loader is None:
            continue
        try:
            check_dataset(loader['dataset'], num_classes=model_classes(cfg))
        except TypeError:  # a user's own kind, with other arguments: the runner tells
            continue
        except (OSError, ValueError) as error:
            raise ValueError(f'the dataset of `{key}`: {error}\n{OVERRIDE}') from error


def check_evaluation(cfg: Config, split: str) -> None:
    """Raise if images or the masks that metrics compare with are missing.

    Raises:
        ValueError: some are missing; the message names the loader.
    """
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    kinds = [m.get('type') for m in metrics_of(cfg, split) if not m.get('format_only')]
    key = f'{split}_dataloader'
    try:
        for leaf in leaf_datasets(cfg[key]['dataset']):
            trouble = listing_trouble(leaf)
            if not trouble and set(kinds) & set(COMPARING) and lacks_masks(leaf):
                trouble = (
                    'its images have no masks to compare predictions with. To predict '
                    'images without masks, run `python -m mmseg_jml predict CONFIG '
                    'CHECKPOINT FOLDER`'
                )
            if trouble:
                raise ValueError(f'the dataset of `{key}`: {trouble}')
    except TypeError:  # a user's own kind, with other arguments: the runner tells
        return


def check_save_best(cfg: Config) -> None:
    """Raise if the best checkpoint is chosen by a metric that is not evaluated.

    Raises:
        ValueError: the metric belongs to a model that is not evaluated.
    """
    evaluator = cfg.get('val_evaluator')
    if not isinstance(evaluator, dict) or evaluator.get('type') != 'SemiEvaluator':
        return
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    chosen = (cfg.get('model') or {}).get('eval_model', 'ema')
    allowed = ('ema', 'student') if chosen == 'both' else (chosen,)
    best = hook.get('save_best')
    for key in best if isinstance(best, list) else [best]:
        if isinstance(key, str) and key != 'auto' and key.split('/')[0] not in allowed:
            raise ValueError(
                f'`default_hooks.checkpoint.save_best` must be a metric of '
                f'{" or ".join(allowed)}, which `model.eval_model={chosen!r}` '
                f"evaluates, for example '{allowed[0]}/mIoU', got {key!r}"
            )


def check_loop(cfg: Config) -> None:
    """Raise if epochs would never end, because then nothing would be saved.

    Raises:
        ValueError: the loop counts epochs and the sampler is infinite.
    """
    train = cfg.get('train_cfg') or {}
    kind = train.get('type', '')
    by_epoch = train.get('by_epoch', kind == 'EpochBasedTrainLoop')
    sampler = ((cfg.get('train_dataloader') or {}).get('sampler') or {}).get('type', '')
    if by_epoch and str(sampler).split('.')[-1] in INFINITE:
        raise ValueError(
            f'`train_cfg` counts epochs, but the sampler {sampler!r} of '
            '`train_dataloader` never ends, so the first epoch would never end either. '
            "Use `train_cfg=dict(type='IterBasedTrainLoop', max_iters=..., "
            "val_interval=...)`, or `sampler=dict(type='DefaultSampler', shuffle=True)`"
        )


def model_classes(cfg: Config) -> int | None:
    """Return the number of classes, or None if the config does not give it."""
    heads = (cfg.get('model') or {}).get('decode_head') or {}
    last = heads[-1] if isinstance(heads, list) else heads  # a cascade has several
    number = last.get('num_classes')
    # One class is mmseg's old way to say foreground against background.
    return None if number == 1 else number


def prepare_launcher(cfg: Config) -> None:
    """Start the process group on machines without a GPU, where MMEngine cannot.

    MMEngine always sets a CUDA device and gives DDP device ids. So gloo on the CPU is
    started here, before MMEngine's Runner, which then uses it.

    Raises:
        ValueError: the launcher cannot work here; the message names one that can.
    """
    if cfg.launcher == 'none':
        return
    if cfg.launcher == 'pytorch' and 'RANK' not in os.environ:
        raise ValueError(
            '`--launcher pytorch` is for processes that torchrun started: run '
            '`torchrun --nproc_per_node N -m mmseg_jml ...`, where N is the number of '
            'GPUs'
        )
    _share_repeated_backward(cfg)
    if get_device() != 'cpu':
        return
    dist_cfg = cfg.get('env_cfg', {}).get('dist_cfg', {})
    backend = dist_cfg.get('backend', 'nccl')
    if cfg.launcher != 'pytorch' or backend != 'gloo':
        raise ValueError(
            f'`--launcher {cfg.launcher}` with backend {backend!r} needs a GPU, but '
            f'none was found. On the CPU, use `--launcher pytorch --cfg-options '
            f'env_cfg.dist_cfg.backend=gloo`, or a single process'
        )
    seconds = dist_cfg.get('timeout')
    timeout = None if seconds is None else timedelta(seconds=seconds)
    torch.distributed.init_process_group('gloo', timeout=timeout)
    wrapper = cfg.get('model_wrapper_cfg') or default_wrapper(cfg)
    cfg.model_wrapper_cfg = {**wrapper, 'device_ids': None}


def default_wrapper(cfg: Config) -> dict[str, Any]:
    """The config of the model wrapper that MMEngine uses by default."""
    return {
        'type': 'MMDistributedDataParallel',
        'broadcast_buffers': False,
        'find_unused_parameters': cfg.get('find_unused_parameters', False),
    }


def _share_repeated_backward(cfg: Config) -> None:
    """Let DDP work with a backbone that uses gradient checkpointing several times.

    A semi-supervised step runs the backbone once for each view. With `with_cp=True`
    each of these has its own backward pass, and DistributedDataParallel then fails
    ("mark a variable ready only once") unless the graph is declared static.
    """
    model = cfg.get('model') or {}
    kind = str(model.get('type')).split('.')[-1]
    if kind != 'SemiEncoderDecoder' or not _has_true(model, 'with_cp'):
        return
    wrapper = cfg.get('model_wrapper_cfg') or default_wrapper(cfg)
    wrapper.setdefault('static_graph', True)
    cfg.model_wrapper_cfg = wrapper


def _has_true(node: Any, key: str) -> bool:
    """Whether a key is true anywhere in a config."""
    if isinstance(node, dict):
        return node.get(key) is True or any(_has_true(v, key) for v in node.values())
    return isinstance(node, list | tuple) and any(_has_true(v, key) for v in node)
