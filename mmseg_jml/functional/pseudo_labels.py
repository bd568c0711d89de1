"""Pseudo-labels of pictures that have none: making, mixing and weighing them.

Methods: Mean Teacher (Tarvainen and Valpola, NeurIPS 2017), FixMatch (Sohn et al.,
NeurIPS 2020), CutMix in segmentation (French et al., BMVC 2020), UniMatch (Yang et al.,
CVPR 2023).
"""

import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from .checks import check_number
from .door import check_values
from .tensors import working_dtype

PseudoLabelKind = Literal['soft', 'hard']
KINDS: tuple[PseudoLabelKind, ...] = get_args(PseudoLabelKind)

# A CutMix box: its share of the picture, and its height over its width.
BOX_AREA = (0.02, 0.4)
BOX_ASPECT = (0.3, 1 / 0.3)


class PseudoLabels(NamedTuple):
    """What a teacher says of pictures, and which of their pixels it may supervise.

    `target` is soft, probs (N,C,H,W), or hard, ids (N,H,W); `label` (N,H,W) the most
    probable class; `weight` (N,H,W) 1 where the pixel is supervised, else 0; `valid`
    (N,H,W), bool, where it could be: not padding.
    """

    target: Tensor
    label: Tensor
    weight: Tensor
    valid: Tensor


def check_pseudo_label(
    *, kind: str = 'soft', threshold: float = 0.0, temperature: float = 1.0
) -> None:
    """Refuse options that `pseudo_labels` does not have.

    Raises:
        TypeError: a number is none.
        ValueError: outside of the range; a temperature beside hard labels, which it
            would not change.

    >>> check_pseudo_label(threshold=0.95)
    """
    _check_options('pseudo_label.', kind, threshold, temperature)


def _check_options(
    prefix: str, kind: str, threshold: float, temperature: float
) -> None:
    if kind not in KINDS:
        raise ValueError(f'`{prefix}kind` must be one of {KINDS}, got {kind!r}')
    check_number(f'{prefix}threshold', threshold, 0, 1)
    check_number(f'{prefix}temperature', temperature, 0, open_low=True)
    if kind == 'hard' and temperature != 1:
        raise ValueError(
            f"`{prefix}temperature` must be 1 with kind 'hard', which it does not "
            f'change, got {temperature!r}'
        )


def pseudo_labels(
    logits: Tensor,
    valid: Tensor,
    *,
    kind: PseudoLabelKind = 'soft',
    threshold: float = 0.0,
    temperature: float = 1.0,
) -> PseudoLabels:
    """Pseudo-labels from a teacher's logits (N,C,H,W), one channel meaning a sigmoid.

    A pixel is supervised where `valid` (N,H,W), bool, and where the teacher's largest
    probability, at temperature 1, reaches `threshold`. Soft targets are the
    probabilities of logits / temperature: below 1 sharper, above softer.

    >>> logits, valid = torch.tensor([[[[2.0]], [[0.0]]]]), torch.ones(1, 1, 1).bool()
    >>> found = pseudo_labels(logits, valid, threshold=0.9, temperature=0.5)
    >>> [round(p, 3) for p in found.target.flatten().tolist()], found.weight.item()
    ([0.982, 0.018], 0.0)
    """
    _check_options('', kind, threshold, temperature)
    check_values(logits, 'logits')
    pixels = (logits.shape[0], *logits.shape[2:])
    if valid.shape != pixels:
        raise ValueError(f'`valid` must be {pixels}, got {tuple(valid.shape)}')
    logits = logits.detach().to(working_dtype(logits.dtype))
    if logits.shape[1] == 1:
        probs = logits.sigmoid()
        confidence = torch.maximum(probs, 1 - probs)[:, 0]
        label = (logits[:, 0] > 0).long()
    else:
        probs = logits.softmax(1)
        confidence, label = probs.max(1)
    weight = (valid & (confidence >= threshold)).to(probs.dtype)
    if kind == 'hard':
        return PseudoLabels(label, label, weight, valid)
    if temperature != 1:
        logits = logits / temperature
        probs = logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)
    return PseudoLabels(probs, label, weight, valid)


def cutmix_masks(
    number: int,
    size: tuple[int, int],
    *,
    probability: float,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """A box in each of `number` pictures of `size` (H,W): bool (N,H,W), True inside.

    A picture has its box with `probability`, else none. Its area is uniform in 2 to
    40 % of the picture, its aspect log-uniform in 0.3 to 1/0.3, its place uniform; a
    side that would be longer than the picture's is as long.

    >>> cutmix_masks(2, (4, 4), probability=0.0).any().item()
    False
    """
    draw = torch.rand(5, number, dtype=torch.float64, generator=generator)
    area = BOX_AREA[0] + (BOX_AREA[1] - BOX_AREA[0]) * draw[0]
    low, high = map(math.log, BOX_ASPECT)
    aspect = (low + (high - low) * draw[1]).exp()
    height, width = size
    pixels = area * height * width
    rows = (pixels * aspect).sqrt().round().clamp(1, height)
    rows = rows * (draw[4] < probability)
    columns = (pixels / aspect).sqrt().round().clamp(1, width)
    top = (draw[2] * (height - rows + 1)).floor()
    left = (draw[3] * (width - columns + 1)).floor()
    edges = torch.stack([top, top + rows, left, left + columns]).to(device=device)
    first, last, start, stop = edges[:, :, None]
    y, x = (torch.arange(side, device=device) for side in size)
    inside_rows = (y >= first) & (y < last)
    inside_columns = (x >= start) & (x < stop)
    return inside_rows[:, :, None] & inside_columns[:, None, :]


def cutmix(values: Tensor, masks: Tensor) -> Tensor:
    """Each picture with its box filled from the one before it, the first from the last.

    `values` (N,H,W) or (N,C,H,W), `masks` (N,H,W) as of `cutmix_masks`.

    >>> values = torch.tensor([[[1, 1]], [[2, 2]]])
    >>> cutmix(values, torch.tensor([[[False, True]], [[False, False]]])).tolist()
    [[[1, 2]], [[2, 2]]]
    """
    masks = masks if values.ndim == masks.ndim else masks.unsqueeze(1)
    return torch.where(masks, values.roll(1, 0), values)


def drop_channels(
    values: Tensor, *, rate: float, generator: torch.Generator | None = None
) -> Tensor:
    """Values (N,C,*) of which whole channels are 0, the others divided by 1 - rate.

    As dropout of channels, but drawn from `generator`, on the CPU, so that a training
    that goes on from a checkpoint draws what it would have drawn.

    >>> drop_channels(torch.ones(1, 2, 1, 1), rate=0.0).flatten().tolist()
    [1.0, 1.0]
    """
    ones = [1] * (values.ndim - 2)
    kept = torch.rand(*values.shape[:2], *ones, generator=generator) >= rate
    return values * (kept / (1 - rate)).to(values)


def ramp_up(iteration: int, length: int) -> float:
    """The factor exp(-5 (1 - t)^2) at t = iteration / length, 1 from `length` on.

    Source: Laine and Aila, ICLR 2017; Mean Teacher.

    >>> [round(ramp_up(i, 10), 3) for i in (0, 5, 10, 20)], ramp_up(0, 0)
    ([0.007, 0.287, 1.0, 1.0], 1.0)
    """
    missing = 1 - iteration / length if iteration < length else 0.0
    return math.exp(-5 * missing**2)


def supervision_counts(labels: PseudoLabels, num_classes: int) -> Tensor:
    """Valid pixels by pseudo-label, and how many of them are supervised: (2,C), int64.

    >>> label = torch.tensor([[[0, 1]]])
    >>> labels = PseudoLabels(label, label, label.float(), torch.ones(1, 1, 2).bool())
    >>> supervision_counts(labels, 2).tolist()
    [[1, 1], [0, 1]]
    """
    flat = labels.label.flatten()
    counts = torch.zeros(2, num_classes, dtype=torch.int64, device=flat.device)
    seen = torch.stack([labels.valid.flatten(), labels.weight.flatten() > 0]).long()
    return counts.scatter_add_(1, flat.expand(2, -1), seen)
