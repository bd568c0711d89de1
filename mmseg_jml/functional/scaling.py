"""Post-hoc calibration: temperature and vector scaling.

Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
section 4.2: logits z become z / T, or a_c z_c + b_c in each class, with what minimises
the negative log-likelihood (NLL) of held-out pixels. Both are convex in 1/T and (a, b).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

PIXELS_AT_ONCE = 2**14  # what a float64 copy is made of
STEPS = 50
NEGLIGIBLE = 1e-12  # nats a pixel; the step that would win them is taken


class Scaling(NamedTuple):
    """What makes calibrated logits of logits: scale * z + offset.

    Both are (C,), one number a channel, or (1,), the same for all.
    """

    scale: Tensor
    offset: Tensor


def scale_logits(logits: Tensor, scaling: Scaling) -> Tensor:
    """Scaled logits (N,C,*) from logits (N,C,*), of their type.

    A map that is affine in each channel commutes with averages and with bilinear
    resizing: it does not matter whether the windows of a sliding-window test are scaled
    or their mean.

    >>> halved = Scaling(torch.tensor([0.5]), torch.tensor([0.0]))
    >>> scale_logits(torch.tensor([[[4.0], [-2.0]]]), halved).flatten().tolist()
    [2.0, -1.0]
    """
    shape = (-1, *[1] * (logits.ndim - 2))
    scale, offset = (
        values.to(logits.device, logits.dtype).view(shape) for values in scaling
    )
    return logits * scale + offset


def fit_temperature(logits: Tensor, label: Tensor) -> float:
    """The temperature T > 0 with the lowest NLL of softmax(logits / T).

    Args:
        logits: (P,C), P pixels; with one channel the sigmoid's logit.
        label: (P,) integers in [0, C), with one channel 0 or 1; no ignored pixels.

    Raises:
        ValueError: There is no pixel, shapes or ids do not fit, logits are not finite;
            or there is no such temperature: every pixel is right, or the logits are no
            better than chance.

    >>> logits = torch.tensor([[2.0, 0.0]] * 4)  # 88 % sure, 75 % right
    >>> round(fit_temperature(logits, torch.tensor([0, 0, 0, 1])), 4)
    1.8205
    """
    logits, label = _checked(logits, label)
    right = logits.argmax(1) == label
    worth = logits.gather(1, label.long().unsqueeze(1)).double().mean()
    if right.all() or worth <= logits.mean(dtype=torch.float64):
        raise ValueError(
            f'no temperature has the lowest NLL of these {len(label)} pixels: '
            + ('every one is right' if right.all() else 'the logits tell nothing')
        )
    classes = logits.shape[1]
    same_scale = torch.cat([torch.ones(classes, 1), torch.zeros(classes, 1)]).double()
    # Saturated probabilities have no slope: begin where the softmax is still soft.
    start = same_scale[:, 0] / logits.abs().max()
    scale, _ = _minimise(logits, label, same_scale, start).chunk(2)
    return 1 / scale[0].item()


def fit_vector_scaling(logits: Tensor, label: Tensor) -> Scaling:
    """Scale a and offset b of each class with the lowest NLL of softmax(a z + b).

    Of classes without a pixel nothing can be learned: they keep offset 0 and the scale
    that the best temperature gives to all. The offsets of the others add up to 0, so
    that they do not move against those. With one channel this is Platt scaling.

    Args, Raises: As in `fit_temperature`.

    Returns:
        Float64 (C,) each.

    >>> logits = torch.tensor([[1.0], [1.0], [-1.0], [-1.0], [-1.0], [-1.0]])
    >>> fitted = fit_vector_scaling(logits, torch.tensor([1, 0, 0, 0, 0, 1]))
    >>> scale_logits(torch.tensor([[1.0], [-1.0]]), fitted).sigmoid().flatten().tolist()
    [0.5, 0.25]
    """
    inverse = 1 / fit_temperature(logits, label)
    binary = logits.shape[1] == 1
    logits, label = _checked(logits, label)
    classes = logits.shape[1]
    present = torch.bincount(label.long(), minlength=classes).gt(0).double()
    adding_up_to_0 = present.diag() - present.outer(present) / present.sum()
    moves = torch.zeros(2 * classes, 2 * classes, dtype=torch.float64)
    moves[:classes, :classes] = present.diag()
    moves[classes:, classes:] = adding_up_to_0
    start = torch.cat([present.new_full((classes,), inverse), torch.zeros(classes)])
    scale, offset = _minimise(logits, label, moves, start).chunk(2)
    if binary:  # the background's logit is 0 whatever its scale
        return Scaling(scale[1:], offset[1:] - offset[:1])
    return Scaling(scale, offset)


def _checked(logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of two classes or more, the sigmoid's of class 1 against 0; on the CPU."""
    if logits.ndim != 2 or label.shape != logits.shape[:1]:
        raise ValueError(
            '`logits` must be (P,C) and `label` (P,), '
            f'got {tuple(logits.shape)} and {tuple(label.shape)}'
        )
    if not len(label):
        raise ValueError('`label` must hold at least one pixel, got none')
    if not logits.isfinite().all():
        raise ValueError('`logits` must be finite, got NaN or infinite ones')
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    low, high = label.aminmax()
    if low < 0 or high >= logits.shape[1]:
        raise ValueError(
            f'`label` must lie in [0, {logits.shape[1]}), got {int(low)} to {int(high)}'
        )
    return logits.cpu(), label.cpu()


def _minimise(logits: Tensor, label: Tensor, moves: Tensor, start: Tensor) -> Tensor:
    """Newton's method on the convex NLL: scale and offset, float64 (2C,).

    It begins at `start` and moves in the span of the columns of `moves` (2C,K).
    """
    here = start
    value, slope, curvature = _nll(logits, label, here)
    for _ in range(STEPS):
        inverse = torch.linalg.pinv(moves.T @ curvature @ moves, hermitian=True)
        step = -moves @ inverse @ moves.T @ slope
        gain = -float(slope @ step)  # about twice what the step will win
        if gain < NEGLIGIBLE:
            return here + step
        while True:
            found = _nll(logits, label, here + step)
            if found[0] <= value - 1e-4 * gain:
                break
            step, gain = step / 2, gain / 2
        here = here + step
        value, slope, curvature = found
    return here


def _nll(
    logits: Tensor, label: Tensor, parameters: Tensor
) -> tuple[float, Tensor, Tensor]:
    """The mean NLL, its gradient (2C,) and curvature (2C,2C), float64.

    By a pixel's scaled logits, the gradient is p - onehot, the curvature
    diag(p) - p p'; the scaled logits are linear in scale and offset.
    """
    scale, offset = parameters.chunk(2)
    total, gradient = 0.0, torch.zeros_like(parameters)
    curvature = torch.zeros(len(parameters), len(parameters), dtype=torch.float64)
    for begin in range(0, len(label), PIXELS_AT_ONCE):
        part = slice(begin, begin + PIXELS_AT_ONCE)
        z, ids = logits[part].double(), label[part].long().unsqueeze(1)
        log_probs = F.log_softmax(z * scale + offset, dim=1)
        own = log_probs.gather(1, ids)
        probs = log_probs.exp_()
        both = torch.cat([probs * z, probs], dim=1)
        first, zeroth = both.sum(0).chunk(2)
        second = (probs * z * z).sum(0)
        curvature -= both.T @ both
        curvature += torch.cat(
            [
                torch.cat([second.diag(), first.diag()], dim=1),
                torch.cat([first.diag(), zeroth.diag()], dim=1),
            ]
        )
        label_z = torch.zeros_like(first).scatter_add_(
            0, ids[:, 0], z.gather(1, ids)[:, 0]
        )
        counts = torch.bincount(ids[:, 0], minlength=len(scale))
        gradient += torch.cat([first - label_z, zeroth - counts])
        total -= own.sum().item()
    return total / len(label), gradient / len(label), curvature / len(label)
