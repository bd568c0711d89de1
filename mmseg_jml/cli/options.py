"""Apply the flags of `train` and `test` to a config."""

import argparse
import sys
from pathlib import Path

from mmengine.config import Config

from ..checkpoints import latest_checkpoint


def apply_train_options(cfg: Config, args: argparse.Namespace) -> None:
    """Apply `--amp` and `--resume` to `cfg`, and let it write checkpoints safely.

    Raises:
        ValueError: no device supports mixed precision, or the optimizer wrapper is of
            another type.
        FileNotFoundError: the checkpoint to resume from does not exist.
    """
    if args.amp:
        _use_amp(cfg)
    if cfg.get('optim_wrapper', {}).get('type') == 'AmpOptimWrapper':
        _require_amp_device()
    if args.resume == 'auto':
        _resume_latest(cfg)
    elif args.resume:
        require_file(args.resume, '`--resume`')
        cfg.resume, cfg.load_from = True, args.resume
    _write_whole_checkpoints(cfg)


def apply_test_options(cfg: Config, args: argparse.Namespace) -> None:
    """Apply the checkpoint and the flags of `test` to `cfg`.

    Raises:
        ValueError: the config lacks something that a flag needs.
    """
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir:
        _paint(cfg, args)
    if args.tta:
        _use_tta(cfg)
    if args.out:
        _save_label_maps(cfg, args.out)
    if args.per_image:
        _tabulate_pictures(cfg)
    if args.confusion_matrix:
        _write_confusion_matrix(cfg)


def require_file(path: str, name: str) -> None:
    """Raise if a checkpoint does not exist.

    Raises:
        FileNotFoundError: it is neither a file nor a URL.
    """
    # mmengine also reads URLs such as https:// and torchvision://
    if '://' not in path and not Path(path).is_file():
        raise FileNotFoundError(f'{name}: there is no file {path!r}')


def _resume_latest(cfg: Config) -> None:
    """Resume from our own search: MMEngine would use `load_from` or a damaged note."""
    latest = latest_checkpoint(cfg.work_dir)
    cfg.resume = latest is not None
    if latest is None:
        print(
            f'There is no checkpoint to resume from in {cfg.work_dir}; training starts '
            'from the beginning.',
            file=sys.stderr,
        )
    else:
        cfg.load_from = str(latest)


def _write_whole_checkpoints(cfg: Config) -> None:
    """Let the CheckpointHook use WholeBackend, unless it has a backend already."""
    hooks = cfg.get('default_hooks') or {}
    hook = hooks.get('checkpoint', {'type': 'CheckpointHook'})  # MMEngine's default
    if hook is None or '://' in str(hook.get('out_dir')):
        return
    kind = hook['type'] if isinstance(hook['type'], str) else hook['type'].__name__
    given = hook.get('backend_args') or hook.get('file_client_args')
    if kind.split('.')[-1] == 'CheckpointHook' and not given:
        whole = {**hook, 'backend_args': {'backend': 'whole'}}
        cfg.default_hooks = {**hooks, 'checkpoint': whole}


def _use_amp(cfg: Config) -> None:
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f'`--amp` needs an `optim_wrapper` of type OptimWrapper, got {kind!r}'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _require_amp_device() -> None:
    from mmengine.device import is_cuda_available, is_mlu_available, is_npu_available

    if not (is_cuda_available() or is_npu_available() or is_mlu_available()):
        raise ValueError(
            'mixed precision (`--amp`, AmpOptimWrapper) needs a CUDA, NPU or MLU '
            'device, but none was found: train without it'
        )


def _paint(cfg: Config, args: argparse.Namespace) -> None:
    hooks = cfg.get('default_hooks') or {}
    hook = dict(hooks.get('visualization') or {})
    if hook.get('type') in (None, 'SegVisualizationHook'):
        hook['type'] = 'PaintingHook'  # it reads images as the pipeline does
    cfg.default_hooks = {
        **hooks,
        'visualization': {
            **hook,
            'draw': True,
            'interval': 1,
            'show': args.show,
            'wait_time': args.wait_time,
        },
    }
    if cfg.get('visualizer') is None:
        cfg.visualizer = {
            'type': 'SegLocalVisualizer',
            'name': 'visualizer',
            'vis_backends': [{'type': 'LocalVisBackend'}],
        }
    if args.show_dir:
        cfg.visualizer.save_dir = args.show_dir


def _use_tta(cfg: Config) -> None:
    missing = [key for key in ('tta_model', 'tta_pipeline') if cfg.get(key) is None]
    if missing:
        raise ValueError(f'`--tta` needs {" and ".join(missing)} in the config')
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model


def metrics_of(cfg: Config, split: str) -> list[dict]:
    """The metrics of a split, also if they are inside an evaluator of another type."""
    found = cfg.get(f'{split}_evaluator') or []
    if isinstance(found, dict):
        found = found.get('metrics', found)
    return [found] if isinstance(found, dict) else list(found)


def _tabulate_pictures(cfg: Config) -> None:
    _measure(cfg, 'CalibrationMetric', {'per_image_csv': True, 'output_dir': None})


def _write_confusion_matrix(cfg: Config) -> None:
    _measure(cfg, 'ConfusionMatrixMetric', {'output_dir': None})


def _measure(cfg: Config, kind: str, options: dict) -> None:
    """Set options of the first test metric of this type, or add such a metric."""
    metrics = [dict(metric) for metric in metrics_of(cfg, 'test')]
    found = [each for each in metrics if each.get('type') == kind]
    if not found:
        found = [{'type': kind}]
        metrics += found
    found[0] |= options
    _set_test_metrics(cfg, metrics)


def _set_test_metrics(cfg: Config, metrics: list[dict]) -> None:
    evaluator = cfg.get('test_evaluator')
    if isinstance(evaluator, dict) and 'metrics' in evaluator:
        evaluator['metrics'] = metrics
    else:
        cfg.test_evaluator = metrics


def _save_label_maps(cfg: Config, out: str) -> None:
    # IoUMetric writes by file name alone: images of two subfolders share one map.
    hook = {'type': 'LabelMapHook', 'output_dir': out}
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), hook]
    metrics = metrics_of(cfg, 'test')
    measuring = [metric for metric in metrics if not metric.get('format_only')]
    if len(measuring) < len(metrics):  # they would only write the same maps
        _set_test_metrics(cfg, measuring)
