"""How sure and how right a prediction is at each pixel, in one read of the logits.

A pixel's numbers do not depend on the picture or the block it came in: classes are
added one after the other. Torch's softmax and sum round differently at the end of a row
than in its middle, and a confidence that rounds differently may change its bin.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .calibration import (
    BinTable,
    Closed,
    bin_index,
    bin_sums,
    check_bins,
    merge_tables,
    piece_length,
)
from .targets import IGNORE_INDEX, valid_mask
from .tensors import working_dtype

BLOCK = 2**21  # numbers of a block of logits: 8 MB
BLOCK_OF_GPU = 2**25  # where a step costs a launch
LANES = 8


class PixelScores(NamedTuple):
    """Scores of the predicted class and of the distribution, each of shape (N,*).

    At ignored pixels they are those of label 0: the caller masks them.
    """

    confidence: Tensor  # the probability of the predicted class
    correct: Tensor  # bool: the predicted class is the label
    nll: Tensor  # -log of the label's probability
    brier: Tensor  # sum over classes of (p - y)^2, in [0,2]


def softmax_scores(
    logits: Tensor,
    label: Tensor,
    prediction: Tensor | None = None,
    *,
    ignore_index: int = IGNORE_INDEX,
) -> PixelScores:
    """The scores of softmax(logits): logits (N,C,*), C > 1, and label (N,*) integer.

    `prediction` (N,*) is the class that was decided for; without it the first class of
    the largest logit. Half precision is computed in float32, float64 stays. A label of
    probability 0 has an infinite `nll`.

    Raises:
        ValueError: a label is neither a class nor `ignore_index`, or a logit is NaN or
            infinite (but -inf, probability 0, is allowed beside others).

    >>> scores = softmax_scores(torch.zeros(1, 2, 1), torch.tensor([[1]]))
    >>> [round(part.item(), 4) for part in scores]
    [0.5, 0, 0.6931, 0.5]
    """
    label = _classes(label, logits.shape[1], ignore_index)
    flat, rows = logits.flatten(2), label.flatten(1)
    chosen = None if prediction is None else prediction.flatten(1).long()
    scores = _empty(rows, working_dtype(logits.dtype))
    norm = torch.empty_like(scores.nll)
    for image, part in _blocks(rows, flat.shape[1]):
        z = flat[image, :, part].to(norm.dtype)
        x, largest = _exponentials(z)
        for piece, place in _pieces(part, z):
            decided = None if chosen is None else chosen[image, place]
            found = _softmax_piece(
                z[:, piece], x[:, piece], largest[piece], rows[image, place], decided
            )
            wholes = (*scores, norm)
            for whole, values in zip(wholes, found, strict=True):
                whole[image, place] = values
    _check_finite('logits', scores.confidence)
    # From the logits: a probability may be too small for its logarithm.
    scores.nll.add_(norm.log_())
    return PixelScores(*(whole.view(label.shape) for whole in scores))


def _softmax_piece(
    z: Tensor, x: Tensor, largest: Tensor, label: Tensor, prediction: Tensor | None
) -> tuple[Tensor, ...]:
    """The scores of a piece and its norm: `nll` is still without log(norm).

    z (C,L), x its exponentials, largest, label and prediction (L,).
    """
    norm, squares = _sum_over_classes(x), _sum_over_classes(x, squares=True)
    scale = norm.reciprocal()
    own = _pick(x, label).mul_(scale)
    brier = squares.mul_(scale).mul_(scale).sub_(own, alpha=2).add_(1).clamp_(min=0)
    if prediction is None:
        prediction = torch.zeros_like(label)
        for c in reversed(range(len(z))):  # the first of a tie is written last
            prediction.masked_fill_(z[c] == largest, c)
    confidence = _pick(x, prediction).mul_(scale)
    rest = largest - _pick(z, label)
    return confidence, prediction == label, rest, brier, norm


def _exponentials(z: Tensor) -> tuple[Tensor, Tensor]:
    """exp(z - largest) of z (C,L), and the largest (L,)."""
    largest = z.amax(0)
    return torch.sub(z, largest).exp_(), largest


def _sum_over_classes(x: Tensor, *, squares: bool = False) -> Tensor:
    """The sum of x (C,L), or of its squares, in the order of classes: (L,)."""
    total = torch.zeros_like(x[0])
    for row in x:
        if squares:
            total.addcmul_(row, row)
        else:
            total.add_(row)
    return total


def binary_scores(
    probs: Tensor,
    label: Tensor,
    prediction: Tensor | None = None,
    *,
    ignore_index: int = IGNORE_INDEX,
) -> PixelScores:
    """The scores of a foreground's probability: probs (N,1,*) in [0,1], label 0 or 1.

    `prediction` (N,*), 0 or 1, is what was decided for; without it p > 1/2. The
    confidence is the probability of what was decided: p for the foreground, 1 - p for
    the background. With a threshold below one half it may be less than one half; it
    must be, for a calibrated p to have no calibration error. The log is cut off at
    -100, as torch's binary cross-entropy does it: a sigmoid in float32 reaches 1.

    Raises:
        ValueError: a label is not 0, 1 or `ignore_index`, or a number is no
            probability.

    >>> scores = binary_scores(torch.tensor([[[0.4]]]), *torch.ones(2, 1, 1).long())
    >>> [round(part.item(), 4) for part in scores]
    [0.4, 1, 0.9163, 0.72]
    """
    if probs.shape[1] != 1:
        raise ValueError(f'`probs` must have one channel, got {probs.shape[1]}')
    label = _classes(label, 2, ignore_index)
    p = probs.squeeze(1).to(working_dtype(probs.dtype))
    _check_finite('probs', p)
    if p.numel() and not (p.amin() >= 0 and p.amax() <= 1):
        raise ValueError(
            '`probs` must be in [0,1], a sigmoid applied, got '
            f'[{p.amin().item():g}, {p.amax().item():g}]'
        )
    chosen = p > 0.5 if prediction is None else prediction.view_as(p) > 0
    confidence = torch.where(chosen, p, 1 - p)
    label_probs = torch.where(label > 0, p, 1 - p)
    return PixelScores(
        confidence,
        chosen.long() == label,
        -label_probs.log().clamp_(min=-100),
        2 * (1 - label_probs).square(),
    )


def classwise_tables(
    logits: Tensor,
    label: Tensor,
    *,
    num_bins: int = 10,
    closed: Closed = 'left',
    ignore_index: int = IGNORE_INDEX,
) -> BinTable:
    """The table of each class's own probability over all pixels: (C,num_bins).

    `logits` (N,C,*), `label` (N,*). In the table of class c every valid pixel counts,
    its confidence is p_c and it is right where the label is c, whatever the prediction:
    a calibrated model has no class-wise error. One channel is the foreground's
    probability, as in `binary_scores`, and gives the two tables of 1 - p and p.

    >>> tables = classwise_tables(torch.zeros(1, 2, 1), torch.tensor([[1]]), num_bins=2)
    >>> tables.confidence.tolist(), tables.correct.tolist()
    ([[0.0, 0.5], [0.0, 0.5]], [[0, 0], [0, 1]])
    """
    check_bins(num_bins, closed)
    binary = logits.shape[1] == 1
    num_classes = 2 if binary else logits.shape[1]
    rows = _classes(label, num_classes, ignore_index).flatten(1)
    ignored = ~valid_mask(label, ignore_index).flatten(1)
    flat, tables = logits.flatten(2), []
    for image, part in _blocks(rows, num_classes):
        z = flat[image, :, part].to(working_dtype(logits.dtype))
        x = torch.cat([1 - z, z]) if binary else _exponentials(z)[0]
        for piece, place in _pieces(part, z):
            probs = x[:, piece]
            if not binary:
                probs *= _sum_over_classes(probs).reciprocal_()
            where = rows[image, place], ignored[image, place]
            tables.append(_classwise(probs, *where, num_bins, closed))
    return merge_tables(tables)


def _classwise(
    probs: Tensor, label: Tensor, ignored: Tensor, num_bins: int, closed: Closed
) -> BinTable:
    """The tables of a piece: probs (C,L), label and ignored (L,)."""
    # Most probabilities are near 0, and adding to the bin that was just added to waits:
    # neighbours go to lanes of their own. What is ignored goes past a lane's bins.
    lanes = torch.arange(len(label), device=label.device) % LANES
    offset = (2 * lanes + ignored) * num_bins

    def total(index: Tensor, weights: Tensor | None = None) -> Tensor:
        sums = bin_sums(index, weights, 2 * LANES * num_bins)
        return sums.view(LANES, 2, num_bins)[:, 0].sum(0)

    rows = [bin_index(row, num_bins, closed).add_(offset) for row in probs]
    own = bin_index(_pick(probs, label), num_bins, closed)
    own += (label + ignored * len(probs)) * num_bins
    correct = bin_sums(own, None, 2 * len(probs) * num_bins)
    return BinTable(
        torch.stack([total(index) for index in rows]),
        torch.stack(
            [total(index, row) for index, row in zip(rows, probs, strict=True)]
        ),
        correct.view(2, -1, num_bins)[0],
    )


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """The row `index` (L,) of values (C,L) at each pixel."""
    return values.gather(0, index.unsqueeze(0)).squeeze(0)


def _empty(like: Tensor, dtype: torch.dtype) -> PixelScores:
    numbers = [torch.empty_like(like, dtype=dtype) for _ in range(3)]
    return PixelScores(
        numbers[0], torch.empty_like(like, dtype=torch.bool), numbers[1], numbers[2]
    )


def _blocks(rows: Tensor, num_classes: int) -> Iterator[tuple[int, slice]]:
    """The images and the pixels of each that are worked on together."""
    images, pixels = rows.shape
    size = BLOCK_OF_GPU if rows.is_cuda else BLOCK
    length = max(size // num_classes, 1)
    for image in range(images):
        for start in range(0, pixels, length):
            yield image, slice(start, start + length)


def _pieces(part: slice, z: Tensor) -> Iterator[tuple[slice, slice]]:
    """The pieces of a block z (C,L): where in the block, and where in the picture."""
    length = piece_length(z)
    for start in range(0, z.shape[1], length):
        end = min(start + length, z.shape[1])
        yield slice(start, end), slice(part.start + start, part.start + end)


def _classes(label: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    """The label (N,*) as int64, 0 where it is ignored."""
    label = label.long()
    label = label.where(valid_mask(label, ignore_index), 0)
    if label.numel():
        low, high = (bound.item() for bound in label.aminmax())
        if low < 0 or high >= num_classes:
            raise ValueError(
                f'`label` must be a class below {num_classes} or ignore_index '
                f'{ignore_index}, got {high if high >= num_classes else low}'
            )
    return label


def _check_finite(name: str, values: Tensor) -> None:
    if not values.isfinite().all():
        raise ValueError(f'`{name}` must be finite, got NaN or inf')
