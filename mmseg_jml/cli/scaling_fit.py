"""How `calibrate` draws pixels, fits the scalings and measures their effect."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import METRICS
from mmengine.runner import Runner
from mmengine.utils import track_iter_progress
from mmseg.structures import SegDataSample
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..datasets.broken_files import name_broken_files
from ..evaluation import CalibrationMetric
from ..evaluation.entries import pooled_measures, statistics
from ..evaluation.pictures import read_picture
from ..functional.bootstrap import percentile_interval, resample_counts
from ..functional.scaling import (
    Scaling,
    fit_temperature,
    fit_vector_scaling,
    scale_logits,
)
from .loading import load_model
from .options import metrics_of
from .preflight import check_evaluation

BEFORE = 'before'
MEASURES = {'ECE': ('all', 'ECE'), 'BECE': ('boundary', 'ECE'), 'NLL': ('all', 'NLL')}
CHOICES = ('num_bins', 'closed', 'kernel_size', 'ignore_index', 'prefix')
ROUNDS = 1000  # of the bootstrap


class Task(NamedTuple):
    """A model, the images of a split, and how they are measured."""

    model: nn.Module
    loader: DataLoader
    metric: dict[str, Any]  # the config of a CalibrationMetric

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the dataset."""
        return tuple(self.loader.dataset.metainfo['classes'])

    def build_metric(self) -> CalibrationMetric:
        """A new metric without any images."""
        metric = METRICS.build(copy.deepcopy(self.metric))
        metric.dataset_meta = self.loader.dataset.metainfo
        return metric


class Fitted(NamedTuple):
    """The scalings, and the pixels that they were fitted on."""

    temperature: float
    vector: Scaling
    pixels: Tensor  # (C,) of each class, or (2,) of background and foreground
    labelled: int  # labelled pixels of all pictures
    pictures: int
    seed: int

    def options(self) -> dict[str, dict[str, Any]]:
        """The argument `scaling` of CalibratedEncoderDecoder, for each scaling."""
        return {
            'temperature': {'temperature': self.temperature},
            'vector': {
                'scale': self.vector.scale.tolist(),
                'offset': self.vector.offset.tolist(),
            },
        }

    def scalings(self) -> dict[str, Scaling]:
        """The factors and offsets of each of `options`."""
        inverse = torch.tensor([1 / self.temperature])
        return {
            'temperature': Scaling(inverse, torch.zeros(1)),
            'vector': self.vector,
        }


class Measured(NamedTuple):
    """Measures (value, low, high) of one scaling over all labelled pixels.

    ECE and BECE are in per cent, NLL in nats. `change` is the difference to no scaling;
    its interval uses the same bootstrap samples of the images for both.
    """

    figures: dict[str, tuple[float, float, float]]
    change: dict[str, tuple[float, float, float]]
    changed: int  # pixels that are predicted as another class than before
    keys: dict[str, str]  # what the metric calls each figure


def prepare(cfg: Config, checkpoint: str, split: str) -> Task:
    """Build the model and the loader of `split`.

    Raises:
        ValueError: The config has no such split, or the split has no images or masks.
        CheckpointError: The checkpoint does not fit.
    """
    loader = cfg.get(f'{split}_dataloader')
    if loader is None:
        raise ValueError(f'the config has no `{split}_dataloader`')
    check_evaluation(cfg, split)
    model = load_model(cfg, checkpoint)
    metric: dict[str, Any] = {'type': 'CalibrationMetric'}
    for found in metrics_of(cfg, split):
        if found.get('type') == metric['type']:
            metric |= {key: found[key] for key in CHOICES if key in found}
            break
    pictures = Runner.build_dataloader(copy.deepcopy(loader), seed=0)
    name_broken_files(pictures.dataset)
    return Task(model, pictures, metric)


def fit(task: Task, *, max_pixels: int, seed: int) -> Fitted:
    """Fit both scalings on at most `max_pixels`, the same number for each image.

    Raises:
        ValueError: `max_pixels` is less than the number of images, no pixel is
            labelled, or no temperature is the best.
    """
    pictures = len(task.loader.dataset)
    if max_pixels < pictures:
        raise ValueError(
            f'`--max-pixels` must be at least {pictures}, the number of images, got '
            f'{max_pixels}'
        )
    ignore_index = task.build_metric().ignore_index
    logits, labels, labelled = [], [], 0
    generator = torch.Generator().manual_seed(seed)
    for scores, samples in _predictions(task):
        for sample in _full_size(task.model, scores, samples):
            z = sample.seg_logits.data.flatten(1)
            label = read_picture(sample.to_dict()).label.flatten()
            index = (label != ignore_index).nonzero()[:, 0].cpu()
            labelled += len(index)
            some = torch.randperm(len(index), generator=generator)
            index = index[some[: max_pixels // pictures]].to(label.device)
            logits.append(z[-scores.shape[1] :, index].T.float().cpu())
            labels.append(label[index].cpu())
    z, label = torch.cat(logits), torch.cat(labels).long()
    return Fitted(
        fit_temperature(z, label),
        fit_vector_scaling(z, label),
        torch.bincount(label, minlength=max(z.shape[1], 2)),
        labelled,
        pictures,
        seed,
    )


def _predictions(task: Task) -> Iterator[tuple[Tensor, list[SegDataSample]]]:
    """The logits (N,C,H,W) from the test mode of the model, and their samples."""
    batches = (task.loader, len(task.loader))
    for batch in track_iter_progress(batches):
        data = task.model.data_preprocessor(batch, False)
        samples = data['data_samples']
        with torch.no_grad():
            logits = task.model.inference(
                data['inputs'], [sample.metainfo for sample in samples]
            )
        yield logits, samples


def _full_size(
    model: nn.Module, logits: Tensor, samples: list[SegDataSample]
) -> list[SegDataSample]:
    """Samples with logits of the images' own size, also for a binary head.

    A single channel would be returned as a probability. Together with a background
    channel of zeros it is returned unchanged.
    """
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return model.postprocess_result(logits, samples)


def evaluate(task: Task, fitted: Fitted) -> dict[str, Measured]:
    """Measure every labelled pixel, without scaling and with each scaling.

    The path is that of testing CalibratedEncoderDecoder: the same logits, scaled before
    anything else is made of them, and the config's own CalibrationMetric.
    """
    identity = Scaling(torch.ones(1), torch.zeros(1))
    scalings = {BEFORE: identity, **fitted.scalings()}
    metrics = {name: task.build_metric() for name in scalings}
    changed = dict.fromkeys(scalings, 0)
    for logits, samples in _predictions(task):
        before: list[Tensor] = []
        for name, scaling in scalings.items():
            scaled = logits if name == BEFORE else scale_logits(logits, scaling)
            outputs = task.model.postprocess_result(scaled, samples)
            metrics[name].process({}, [output.to_dict() for output in outputs])
            predictions = [output.pred_sem_seg.data for output in outputs]
            before = before or predictions
            for sample, old, new in zip(outputs, before, predictions, strict=True):
                valid = sample.gt_sem_seg.data != metrics[name].ignore_index
                changed[name] += int(((old != new) & valid).sum())
    return _compare(metrics, changed)


def _compare(
    metrics: dict[str, CalibrationMetric], changed: dict[str, int]
) -> dict[str, Measured]:
    """Measures and intervals; every metric draws the same images."""
    number = len(metrics[BEFORE].results)
    once = torch.ones(1, number, dtype=torch.float64)
    counts = torch.cat([once, resample_counts(number, ROUNDS)])
    drawn: dict[str, dict[str, Tensor]] = {}
    for name, metric in metrics.items():
        pictures = statistics(metric.results)
        drawn[name] = {
            figure: pooled_measures(pictures[region], counts)[measure]
            for figure, (region, measure) in MEASURES.items()
            if pictures[region].some().any()  # labels may have no boundary
        }
    first = metrics[BEFORE]
    keys = {
        figure: f'{first.prefix}/{first.keys(measure, region)}'
        for figure, (region, measure) in MEASURES.items()
        if figure in drawn[BEFORE]
    }
    return {
        name: Measured(
            {figure: _interval(values) for figure, values in drawn[name].items()},
            {
                figure: _interval(values - drawn[BEFORE][figure])
                for figure, values in drawn[name].items()
            },
            changed[name],
            keys,
        )
        for name in metrics
    }


def _interval(values: Tensor) -> tuple[float, float, float]:
    """The first value, and the interval of the other values."""
    return values[0].item(), *percentile_interval(values[1:])
