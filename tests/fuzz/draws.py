"""What the subjects draw: shapes, logits, labels, weights and the losses' options."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.functional.cases import MODES, VARIANTS

Options = dict[str, Any]
Rng = np.random.Generator

# Of a number computed in the type, relative to the largest that is expected.
TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 3e-2}
IGNORED = (255, 255, 255, -1, -100, 0)


def pick(rng: Rng, options: Any) -> Any:
    """One of several things, of whatever kinds."""
    return options[rng.integers(len(options))]


def single(number: float) -> float:
    """A number that float32 holds: options that become buffers are rounded to it."""
    return float(np.float32(number))


def shape(rng: Rng, *, maps: bool = False) -> tuple[int, ...]:
    """(N,C,H,W), or (N,C,P): any axis may be 1."""
    n, c = rng.integers(1, 4), pick(rng, (1, 2, 2, 3, 4, 7, 12))
    if not maps and rng.random() < 0.2:
        return int(n), c, int(rng.integers(1, 20))
    h, w = (1 if rng.random() < 0.15 else rng.integers(1, 7) for _ in range(2))
    return int(n), c, int(h), int(w)


def strided(rng: Rng, values: np.ndarray, dtype: torch.dtype, note: Options) -> Tensor:
    """The values in memory of some layout."""
    tensor = torch.from_numpy(np.ascontiguousarray(values)).to(dtype)
    layout = pick(rng, ('contiguous', 'channels last', 'every other', 'turned'))
    note['layout'] = layout
    if layout == 'channels last':
        return tensor.movedim(1, -1).contiguous().movedim(-1, 1)
    if layout == 'every other':
        return tensor.repeat_interleave(2, -1)[..., ::2]
    if layout == 'turned':
        return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
    return tensor


def logits(rng: Rng, size: tuple[int, ...], note: Options) -> Tensor:
    """Logits, from all alike to +-10,000, in one of three types."""
    spread = pick(rng, (0.0, 0.3, 3.0, 3.0, 30.0, 1e4))
    dtype = pick(rng, (torch.float64, torch.float32, torch.float32, torch.bfloat16))
    values = rng.normal(0, spread, size)
    if spread == 1e4:
        values = rng.choice([-1e4, 0.0, 1.0, 1e4], size)
    note |= {'shape': size, 'dtype': dtype, 'spread': spread}
    return strided(rng, values, dtype, note)


def label(rng: Rng, size: tuple[int, ...], ignore_index: int, note: Options) -> Tensor:
    """A hard label (N,*) of logits (N,C,*): blobs, with ignored pixels."""
    pixels = (size[0], *size[2:])
    ids = rng.integers(0, max(size[1], 2), pixels)
    if rng.random() < 0.5:  # few classes and large regions
        ids[..., : pixels[-1] // 2] = rng.integers(0, max(size[1], 2))
    kind = pick(rng, ('none', 'some', 'some', 'a picture', 'all'))
    if kind == 'some':
        ids[rng.random(pixels) < rng.random()] = ignore_index
    elif kind == 'a picture':
        ids[0] = ignore_index
    elif kind == 'all':
        ids[:] = ignore_index
    note |= {'ignored': kind, 'ignore_index': ignore_index}
    narrow = ignore_index == 255 and rng.random() < 0.3
    return torch.from_numpy(ids.astype(np.uint8 if narrow else np.int64))


def soft_target(rng: Rng, size: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Numbers in [0,1], with and without zeros and ones, that may sum to 1."""
    values = rng.random(size) * rng.random((1, size[1], *(1,) * (len(size) - 2))) ** 3
    if rng.random() < 0.5:
        values = values.round(1)
    if rng.random() < 0.5:
        values = values / np.maximum(values.sum(1, keepdims=True), 1e-3)
    kinds = (dtype, torch.float32) if dtype != torch.float64 else (dtype,)
    return torch.from_numpy(values.clip(0, 1)).to(pick(rng, kinds))


def weight(rng: Rng, size: tuple[int, ...], note: Options) -> Tensor | None:
    """None, or pixel weights (N,*): zeros and ones, or any."""
    kind = pick(rng, ('none', 'none', 'binary', 'any', 'zero'))
    note['weight'] = kind
    if kind == 'none':
        return None
    values = rng.random((size[0], *size[2:])) * 3 * (rng.random() < 0.9)
    values[rng.random(values.shape) < 0.3] = 0
    if kind != 'any':
        values = (values > 0) * float(kind == 'binary')
    return torch.from_numpy(values).float()


def smoothing(rng: Rng, *, maps: bool) -> Options | None:
    """The config of a label transform, or None."""
    epsilon = single(pick(rng, (0.0, 1.0, 0.5, rng.random())))
    if rng.random() < 0.4:
        return None
    if not maps or rng.random() < 0.4:
        return {'type': 'LabelSmoothing', 'epsilon': epsilon}
    return {
        'type': 'BoundaryLabelSmoothing',
        'epsilon': epsilon,
        'kernel_size': pick(rng, (1, 3, 3, 5, 9)),
        'ignore_neighbours': bool(rng.random() < 0.5),
    }


def shared_options(rng: Rng, num_classes: int) -> Options:
    """The options of every loss that are no matter of its formula."""
    return {
        'class_weight': class_weight(rng, num_classes),
        'use_sigmoid': bool(num_classes == 1 or rng.random() < 0.3),
        'temperature': pick(rng, (1.0, 1.0, 1.0, 0.5, 3.0)),
        'loss_weight': pick(rng, (1.0, 0.25, 0.0)),
    }


def class_weight(rng: Rng, num_classes: int) -> list[float] | None:
    """None, or one number a class, some of them 0."""
    if rng.random() < 0.7:
        return None
    numbers = rng.random(num_classes) * 2 * (rng.random(num_classes) < 0.8)
    return [single(number) for number in numbers]


def formula(rng: Rng, *, steep: bool) -> Options:
    """The options of a Jaccard loss; a `steep` one has little or no `smooth`."""
    variant = pick(rng, VARIANTS)
    alpha, beta = pick(rng, ((1.0, 1.0), (0.5, 0.5), (0.3, 0.7), (0.0, 1.0)))
    log_loss = bool(rng.random() < 0.3)
    # The logarithm of no overlap at all is infinite without smoothing.
    smooths = (1.0, 0.001, 1.0 if log_loss else 0.0) if steep else (1.0, 0.1)
    reduction = {
        name: pick(rng, (0.5, 1.0, 2.0))
        for name in ('batch', 'image', 'per_class')
        if rng.random() < 0.5
    }
    return {
        'variant': variant,
        'active_classes': pick(rng, MODES),
        'threshold': pick(rng, (0.01, float(rng.random()))),
        'reduction': reduction or None,
        'alpha': beta if variant == 'sjl_l2' else alpha,
        'beta': beta,
        'gamma': pick(rng, (1.0, 1.0, 1.5, 2.0)),
        'log_loss': log_loss,
        'smooth': pick(rng, smooths),
    }
