"""What can be known to fail before a training starts."""

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
OVERRIDE = f'(Add `{NO_CHECK}` to train all the same.)'


def check_loaders(cfg: Config) -> None:
    """Refuse batches without a fixed ratio of unlabelled images.

    Raises:
        ValueError: there are such batches; the message names the loader.
    """
    for key in ('train_dataloader', 'val_dataloader'):
        if cfg.get(key) is not None:
            try:
                check_loader(cfg[key])
            except ValueError as error:
                raise ValueError(f'the dataset of `{key}`: {error}') from error


def check_data_sets(cfg: Config) -> None:
    """List the datasets of training and validation and look at some masks.

    Raises:
        ValueError: what `check_dataset` finds; the message names the loader, and the
            flag that starts the training all the same.
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
    """Refuse images that are not there or have no masks, where metrics compare them.

    Raises:
        ValueError: there are such images; the message names the loader.
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
                    'images without masks: `python -m mmseg_jml predict CONFIG '
                    'CHECKPOINT FOLDER`'
                )
            if trouble:
                raise ValueError(f'the dataset of `{key}`: {trouble}')
    except TypeError:  # a user's own kind, with other arguments: the runner tells
        return


def check_save_best(cfg: Config) -> None:
    """Refuse a figure for the best checkpoint that the validation will not have.

    Raises:
        ValueError: it is of another model than the one that is evaluated.
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
                f'`default_hooks.checkpoint.save_best` must be a figure of '
                f'{" or ".join(allowed)}, as `model.eval_model={chosen!r}` is, for '
                f"instance '{allowed[0]}/mIoU', got {key!r}"
            )


def check_loop(cfg: Config) -> None:
    """Refuse epochs of a sampler that never ends: nothing would ever be saved.

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
    """Return the model's number of classes, None where the config does not tell."""
    heads = (cfg.get('model') or {}).get('decode_head') or {}
    last = heads[-1] if isinstance(heads, list) else heads  # a cascade has several
    number = last.get('num_classes')
    # One class is mmseg's old way to say foreground against background.
    return None if number == 1 else number


def prepare_launcher(cfg: Config) -> None:
    """Start the process group on machines without a GPU, where mmengine cannot.

    mmengine sets a CUDA device and gives DDP device ids whatever the backend is, so
    gloo on CPU is started here, before its Runner, which then keeps it.

    Raises:
        ValueError: a launcher that cannot work here; the message says what does.
    """
    if cfg.launcher == 'none':
        return
    if cfg.launcher == 'pytorch' and 'RANK' not in os.environ:
        raise ValueError(
            '`--launcher pytorch` is for processes that torchrun started: use '
            '`torchrun --nproc_per_node N -m mmseg_jml ...`, with N the number of GPUs'
        )
    _share_repeated_backward(cfg)
    if get_device() != 'cpu':
        return
    dist_cfg = cfg.get('env_cfg', {}).get('dist_cfg', {})
    backend = dist_cfg.get('backend', 'nccl')
    if cfg.launcher != 'pytorch' or backend != 'gloo':
        raise ValueError(
            f'`--launcher {cfg.launcher}` with backend {backend!r} needs a GPU and '
            f'none is visible: on CPU use `--launcher pytorch --cfg-options '
            f'env_cfg.dist_cfg.backend=gloo`, or one process'
        )
    seconds = dist_cfg.get('timeout')
    timeout = None if seconds is None else timedelta(seconds=seconds)
    torch.distributed.init_process_group('gloo', timeout=timeout)
    wrapper = cfg.get('model_wrapper_cfg') or default_wrapper(cfg)
    cfg.model_wrapper_cfg = {**wrapper, 'device_ids': None}


def default_wrapper(cfg: Config) -> dict[str, Any]:
    """The config of the model wrapper that MMEngine uses where none is given."""
    return {
        'type': 'MMDistributedDataParallel',
        'broadcast_buffers': False,
        'find_unused_parameters': cfg.get('find_unused_parameters', False),
    }


def _share_repeated_backward(cfg: Config) -> None:
    """Let DDP take gradients of a backbone that is checkpointed in several passes.

    A semi-supervised step runs the backbone once for each view. With `with_cp=True`
    each run is a backward pass of its own, and DistributedDataParallel then fails
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
