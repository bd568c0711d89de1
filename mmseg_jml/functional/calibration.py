"""Calibration errors from bin tables: counts and sums that add up over pictures.

A table holds, for each bin of confidence, how many predictions fell into it, the sum of
their confidences and how many were right. Tables of any split of the pixels add up to
the table of them all, so nothing larger is ever kept. Counts are int64 and sums
float64: float32 sums stop growing at 2**24.

Sources: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian
Binning", AAAI 2015 (ECE, MCE); Guo et al., "On Calibration of Modern Neural Networks",
ICML 2017; Hendrycks et al., ICLR 2019 (RMSCE); Nixon et al., "Measuring Calibration in
Deep Learning", CVPRW 2019 (class-wise and adaptive).
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from .checks import check_int

Closed = Literal['left', 'right']
FINE_BINS = 2**14
# Torch shares an operation on 2**15 numbers or more among threads and waits for them
# all: a shorter one takes microseconds, and a core that is busy does not hold it up.
PIECE = 2**15 - 2**6


class BinTable(NamedTuple):
    """What fell into each bin: (B,), or (*,B) for several tables of the same bins."""

    count: Tensor  # type: ignore[assignment]  # int64, predictions
    confidence: Tensor  # float64, the sum of their confidences
    correct: Tensor  # int64, how many of them were right


def check_bins(num_bins: int, closed: Closed) -> None:
    """Refuse bins that cannot be.

    Raises:
        TypeError: `num_bins` is no int.
        ValueError: `num_bins` is not in [1, 2**20], or `closed` no side.

    >>> check_bins(10, 'left')
    """
    check_int('num_bins', num_bins)
    if not 1 <= num_bins <= 2**20:
        raise ValueError(f'`num_bins` must be in [1, 2**20], got {num_bins}')
    if closed not in get_args(Closed):
        raise ValueError(f'`closed` must be one of {get_args(Closed)}, got {closed!r}')


def bin_index(
    confidence: Tensor, num_bins: int = 10, closed: Closed = 'left'
) -> Tensor:
    """The equal-width bin of each confidence in [0,1]: int64 of the same shape.

    `closed='left'` means [k/B, (k+1)/B), and 1 belongs to the last bin; 'right' means
    (k/B, (k+1)/B], and 0 belongs to the first. The comparison is exact: the float32
    number 0.7, which is a little less than 7/10, lies in bin 6 of 10. A float64 number
    is compared with the float64 number k/B.

    >>> bin_index(torch.tensor([0.0, 0.1, 0.5, 1.0]), 10).tolist()
    [0, 1, 5, 9]
    >>> bin_index(torch.tensor([0.0, 0.1, 0.5, 1.0]), 10, 'right').tolist()
    [0, 1, 4, 9]
    """
    if confidence.dtype == torch.float64:
        # A product would round 0.29 * 100 down to 28.999.
        edges = torch.arange(1, num_bins, device=confidence.device).double() / num_bins
        # Of a view bucketize makes a copy too, but warns.
        values = confidence.contiguous()
        return torch.bucketize(values, edges, right=closed == 'left')
    place = confidence.double().mul_(num_bins)  # exact: 24 + 20 bits
    if closed == 'left':
        return place.long().clamp_(0, num_bins - 1)
    return place.ceil_().long().sub_(1).clamp_(0, num_bins - 1)


def piece_length(values: Tensor) -> int:
    """How many numbers one step takes: on a GPU all, where a step is a launch.

    >>> piece_length(torch.zeros(10)) < 2**15
    True
    """
    return max(values.numel(), 1) if values.is_cuda else PIECE


def bin_sums(index: Tensor, weights: Tensor | None, size: int) -> Tensor:
    """How often each index below `size` comes: int64; with weights their sum: float64.

    Float32 weights are summed in float64 too. Where torch is told to be deterministic,
    a way is taken that is deterministic on a GPU.

    >>> bin_sums(torch.tensor([1, 1]), torch.tensor([0.5, 0.25]), 3)
    tensor([0.0000, 0.7500, 0.0000], dtype=torch.float64)
    """
    if weights is None:
        return torch.bincount(index, minlength=size)
    weights = weights.double()
    if torch.are_deterministic_algorithms_enabled():
        sums = torch.zeros(size, dtype=weights.dtype, device=weights.device)
        return sums.index_add_(0, index, weights)
    return torch.bincount(index, weights, minlength=size)


def bin_tables(
    confidence: Tensor,
    correct: Tensor,
    group: Tensor,
    num_groups: int,
    *,
    num_bins: int = 10,
    closed: Closed = 'left',
) -> BinTable:
    """The table of each group of predictions: (num_groups, num_bins).

    `confidence` in [0,1], `correct` (bool) and `group` (integer) are of one shape.
    Groups are 0 to num_groups - 1; a pixel of group `num_groups` is left out.

    >>> rows = torch.tensor([0.25, 0.75]), torch.tensor([True, False])
    >>> bin_tables(*rows, torch.tensor([0, 2]), 2, num_bins=2).count
    tensor([[1, 0],
            [0, 0]])
    """
    rows = (confidence.reshape(-1), correct.reshape(-1), group.reshape(-1))
    length = piece_length(confidence)
    pieces = zip(*(torch.split(row, length) for row in rows), strict=True)
    size = num_groups * num_bins

    def table(confidence: Tensor, correct: Tensor, group: Tensor) -> BinTable:
        index = bin_index(confidence, num_bins, closed).add_(group.long() * num_bins)
        count, sums, right = (
            bin_sums(index, weights, size + num_bins)[:size].view(-1, num_bins)
            for weights in (None, confidence, correct)
        )
        return BinTable(count, sums, right.long())

    return merge_tables(table(*piece) for piece in pieces)


def bin_table(
    confidence: Tensor,
    correct: Tensor,
    valid: Tensor | None = None,
    *,
    num_bins: int = 10,
    closed: Closed = 'left',
) -> BinTable:
    """The table of predictions: (num_bins,).

    `confidence` in [0,1] and `correct` (bool) are of one shape, as is `valid` (bool),
    which says what counts.

    >>> bin_table(torch.tensor([0.5, 1.0]), torch.tensor([True, False])).correct
    tensor([0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    """
    group = torch.zeros_like(correct) if valid is None else ~valid
    tables = bin_tables(confidence, correct, group, 1, num_bins=num_bins, closed=closed)
    return BinTable(*(part[0] for part in tables))


def merge_tables(tables: Iterable[BinTable]) -> BinTable:
    """The table of all predictions of several tables of the same bins.

    Raises:
        ValueError: there is no table.

    >>> one = bin_table(torch.tensor([0.9]), torch.tensor([True]), num_bins=2)
    >>> merge_tables([one, one]).count
    tensor([0, 2])
    """
    total = None
    for table in tables:
        total = table if total is None else _add(total, table)
    if total is None:
        raise ValueError('`tables` must hold at least one table, got none')
    return total


def _add(one: BinTable, other: BinTable) -> BinTable:
    return BinTable(*(a + b for a, b in zip(one, other, strict=True)))


def calibration_measures(tables: BinTable) -> dict[str, Tensor]:
    """All measures of tables (*,B): each float64 (*), in [0,1], gap in [-1,1].

    With the gap of a bin its mean confidence less its accuracy: ECE is the mean of
    |gap| over predictions, MCE its maximum over the bins that hold any, RMSCE the root
    of the mean of its square; Gap is the mean of the gap itself, above 0 where the
    model is overconfident; Conf and Acc are the mean confidence and the accuracy. An
    empty table gives 0, which means nothing: ask its count.

    >>> table = bin_table(torch.tensor([0.9, 0.6]), torch.tensor([True, False]))
    >>> {name: round(x.item(), 2) for name, x in calibration_measures(table).items()}
    {'ECE': 0.35, 'MCE': 0.6, 'RMSCE': 0.43, 'Gap': 0.25, 'Conf': 0.75, 'Acc': 0.5}
    """
    # Two integers would be divided in float32.
    total = tables.count.sum(-1).clamp(min=1).double()
    difference = tables.confidence - tables.correct
    gap = difference / tables.count.clamp(min=1)
    return {
        'ECE': difference.abs().sum(-1) / total,
        'MCE': gap.abs().amax(-1),
        'RMSCE': ((difference * gap).sum(-1) / total).sqrt(),
        'Gap': difference.sum(-1) / total,
        'Conf': tables.confidence.sum(-1) / total,
        'Acc': tables.correct.sum(-1) / total,
    }


def expected_calibration_error(table: BinTable) -> float | None:
    """ECE: the mean over predictions of |confidence - accuracy| of their bin, in [0,1].

    `table` is (B,). An empty one gives None.

    >>> expected_calibration_error(
    ...     bin_table(torch.tensor([0.75, 0.75]), torch.tensor([True, False]))
    ... )
    0.25
    """
    if not table.count.any():
        return None
    return calibration_measures(table)['ECE'].item()


def adaptive_calibration_error(fine: BinTable, num_bins: int = 10) -> float | None:
    """Adaptive ECE: |confidence - accuracy| over bins of equal mass, in [0,1].

    `fine` is a table (F,) of narrow bins (`FINE_BINS`), ordered by confidence. Each of
    the `num_bins` groups holds the same mass: a narrow bin on the border is shared in
    proportion, which treats its predictions, at most 1/F apart, as tied. An empty table
    gives None.

    >>> rows = torch.tensor([0.6, 0.7, 0.8, 1.0]), torch.tensor([1, 0, 1, 1]).bool()
    >>> round(adaptive_calibration_error(bin_table(*rows, num_bins=FINE_BINS), 2), 4)
    0.125
    """
    mass = fine.count.cumsum(0).double()
    total = mass[-1]
    if not total:
        return None
    groups = torch.arange(1, num_bins + 1, device=mass.device)
    border = groups.double() * total / num_bins
    # The narrow bin that each border falls into, and how much of it lies below.
    index = torch.searchsorted(mass, border).clamp_(max=len(mass) - 1)
    count = fine.count[index]
    part = (border - (mass[index] - count)) / count
    difference = fine.confidence - fine.correct
    below = difference.cumsum(0)[index] - (1 - part) * difference[index]
    gaps = below.diff(prepend=below.new_zeros(1))
    return (gaps.abs().sum() / total).item()
