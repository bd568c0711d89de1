"""Intervals by drawing pictures again: pixels of one picture are not independent.

Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics
1979 (percentile interval).
"""

import torch
from torch import Tensor


def resample_counts(pictures: int, rounds: int, seed: int = 0) -> Tensor:
    """How often each picture is drawn in each round: float64 (rounds, pictures).

    Each round draws `pictures` of them with replacement. Multiplied with sums over the
    pixels of each picture (pictures, *) it gives the sums of all rounds at once.

    >>> resample_counts(3, 2).sum(1)
    tensor([3., 3.], dtype=torch.float64)
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(pictures, (rounds, pictures), generator=generator)
    counts = torch.zeros(rounds, pictures, dtype=torch.float64)
    return counts.scatter_add_(1, drawn, torch.ones_like(counts))


def percentile_interval(values: Tensor, level: float = 0.95) -> tuple[float, float]:
    """The interval that holds the middle `level` of the rounds' values (rounds,).

    >>> percentile_interval(torch.arange(101.0), level=0.5)
    (25.0, 75.0)
    """
    tail = (1 - level) / 2
    values = values.double()
    low, high = values.quantile(values.new_tensor([tail, 1 - tail])).tolist()
    return low, high
