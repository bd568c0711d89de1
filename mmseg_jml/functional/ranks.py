"""Sums over the ranks of a distributed training."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def sum_over_ranks(parts: Sequence[Tensor]) -> list[Tensor]:
    """Each tensor summed over all ranks, by one all-reduce of them all.

    The gradient is scaled by the number of ranks: every rank computes the same loss of
    the sums, and DistributedDataParallel's averaging then gives the gradient of one
    process that holds the whole batch. Without a process group, or in one of a single
    rank, the tensors come back as they are.

    >>> sum_over_ranks([torch.ones(2)])
    [tensor([1., 1.])]
    """
    if not (
        dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
    ):
        return list(parts)
    flat = torch.cat([part.reshape(-1) for part in parts])
    flat = _SumOverRanks.apply(flat)  # type: ignore[no-untyped-call]
    pieces = torch.split(flat, [part.numel() for part in parts])
    return [piece.view_as(part) for piece, part in zip(pieces, parts, strict=True)]


class _SumOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, flat: Tensor) -> Tensor:
        total = flat.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * dist.get_world_size()
