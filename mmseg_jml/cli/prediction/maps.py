"""Prediction, confidence and entropy of one image, computed in strips of rows."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...functional.uncertainty import class_probs, confidence_map, entropy_map
from .tiles import Tiling, blended

STRIP = 1 << 22  # scores that are worked on at once
SURE = 1e-9  # a probability of 0 or 1 has no finite logit


class Maps(NamedTuple):
    """The predicted maps of one image, each (H, W)."""

    prediction: np.ndarray  # class ids, uint8 where they fit, else uint16
    confidence: np.ndarray  # float32, the probability of the predicted class
    entropy: np.ndarray  # float32, nats, from 0 to the logarithm of num_classes
    num_classes: int


def predict(model: Any, sample: dict[str, Any], tiling: Tiling | None = None) -> Maps:
    """The maps of one image at its original size, from the test mode of the model.

    The scores are stored once at the size of the model's input. Everything else,
    including the resizing to the original size, is done in strips. With `tiling` the
    scores of tiles are blended, and only one row of tiles is stored, unless the
    pipeline resizes the image.

    Args:
        model: A segmentor.
        sample: The output of the test pipeline for one image.
        tiling: The tiles, at the size of the model's input.

    Raises:
        ValueError: The scores are not numbers.
    """
    size = tuple(sample['data_samples'].ori_shape[:2])
    align_corners = getattr(model, 'align_corners', False)
    with torch.no_grad():
        if tiling is None:
            scores = _scores(model, sample, sample['inputs'])
            return _collect(resized(scores, size, align_corners), size, model)
        strips = blended(
            functools.partial(_logits, model, sample), sample['inputs'], tiling
        )
        if tuple(sample['inputs'].shape[-2:]) != size:
            logits = torch.cat(list(strips), dim=1)
            strips = resized(logits, size, align_corners)
        if getattr(model, 'out_channels', None) == 1:
            strips = (strip.sigmoid() for strip in strips)
        return _collect(strips, size, model)


def _scores(model: Any, sample: dict[str, Any], inputs: Tensor) -> Tensor:
    """Scores (C,h,w) of an image or a tile (channels,h,w), at its size.

    A whole image with one output channel is an exception: its scores are probabilities
    at the original size, because MMSegmentation resizes the logits.
    """
    data, shape = sample['data_samples'].clone(), tuple(inputs.shape[-2:])
    whole = inputs is sample['inputs']
    if not whole:
        data.set_metainfo({'img_shape': shape, 'pad_shape': shape})
    if not whole or getattr(model, 'out_channels', None) != 1:
        data.set_metainfo({'ori_shape': shape})
    batch = {key: [value] for key, value in sample.items()}
    (output,) = model.test_step({**batch, 'inputs': [inputs], 'data_samples': [data]})
    return output.seg_logits.data


def _logits(model: Any, sample: dict[str, Any], tile: Tensor) -> Tensor:
    """Logits (C,h,w) of a tile, also for one output channel, for blending."""
    scores = _scores(model, sample, tile)
    return scores.double().logit(eps=SURE) if len(scores) == 1 else scores


def resized(
    scores: Tensor, size: tuple[int, ...], align_corners: bool
) -> Iterator[Tensor]:
    """Strips of scores (C,h,w), resized to (H,W) as MMSegmentation's `resize` does.

    Args:
        scores: The scores to resize bilinearly.
        size: H and W.
        align_corners: As in `torch.nn.functional.interpolate`.
    """
    channels, height, width = scores.shape
    rows = max(1, STRIP // (channels * size[1]))
    for top in range(0, size[0], rows):
        bottom = min(top + rows, size[0])
        if (height, width) == size:
            yield scores[:, top:bottom]
            continue
        source = _source_rows(height, size[0], align_corners)[top:bottom]
        low = source.floor().long()
        part = (source - low).to(scores.device, torch.float32)[:, None]
        upper = scores[:, (low + 1).clamp(max=height - 1)].float()
        strip = torch.lerp(scores[:, low].float(), upper, part)
        yield interpolate(
            strip[None],
            (bottom - top, size[1]),
            mode='bilinear',
            align_corners=align_corners,
        )[0]


def _source_rows(height: int, wanted: int, align_corners: bool) -> Tensor:
    """(wanted,) the fractional source row of each output row."""
    row = torch.arange(wanted, dtype=torch.float64)
    if align_corners:
        return row * (height - 1) / max(wanted - 1, 1)
    return ((row + 0.5) * height / wanted - 0.5).clamp(min=0)


def _collect(strips: Iterable[Tensor], size: tuple[int, ...], model: Any) -> Maps:
    confidence, entropy = np.empty((2, *size), np.float32)
    prediction, number, top = np.empty(0), 0, 0
    for strip in strips:
        rows = max(1, STRIP // (strip.shape[0] * strip.shape[2]))
        for scores in strip.split(rows, dim=1):
            probs = class_probs(scores)
            if probs.isnan().any():
                raise ValueError('the scores of the model contain NaN')
            if not number:
                number = len(probs)
                kind = np.uint8 if number <= 256 else np.uint16
                prediction = np.empty(size, kind)
            ids = _decide(scores, model)
            place = slice(top, top + scores.shape[1])
            prediction[place] = ids.cpu().numpy()
            confidence[place] = confidence_map(probs, ids).cpu().numpy()
            entropy[place] = entropy_map(probs).cpu().numpy()
            top = place.stop
    return Maps(prediction, confidence, entropy, number)


def _decide(scores: Tensor, model: Any) -> Tensor:
    """Class ids (h,w) as in MMSegmentation: the largest score, or the threshold."""
    if len(scores) > 1:
        return scores.argmax(0)
    return (scores[0] > model.decode_head.threshold).long()
