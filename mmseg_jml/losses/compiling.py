"""What `torch.compile` leaves alone."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from torch._compile import _disable_dynamo

P = ParamSpec('P')
R = TypeVar('R')


def not_compiled(function: Callable[P, R]) -> Callable[P, R]:
    """A function that `torch.compile` calls as it is, at the cost of one graph break.

    A loss looks at its data (are the ids in range?) and walks over it in chunks that
    fit a cache: there is nothing for a compiler to win. This is
    `torch.compiler.disable`, but that the compiler, whose import takes as long as that
    of torch, is imported at the first call, as torch's own optimizers do it.
    """
    hidden: Callable[P, R] = _disable_dynamo(function)
    return hidden
