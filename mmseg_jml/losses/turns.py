"""How the losses of a list share one computation while a head calls them in turn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .batch import refuse_per_pixel
from .compiling import not_compiled

# From the place of a loss in its list and the inputs of a call to the loss's value.
Compute = Callable[..., Tensor]


class Step:
    """The results of one step, computed at the first call, each handed over once.

    A result is handed over only to the call that it was computed for: the same tensors,
    which nobody changed in place since, and the same options of the loss. Every other
    call is computed alone, so that each has the value that it has in a plain list.

    Args:
        parts: the losses by their place.
        compute_all: gives the results of all by their place.
        compute_one: gives the result of one place.
    """

    def __init__(
        self,
        parts: dict[int, nn.Module],
        compute_all: Callable[..., dict[int, Tensor]],
        compute_one: Compute,
    ) -> None:
        self.parts = parts
        self.compute_all = compute_all
        self.compute_one = compute_one
        self.inputs: tuple[Any, ...] | None = None
        self.versions: list[Any] = []
        self.options: dict[int, Options] = {}
        self.results: dict[int, Tensor] = {}

    def result(self, index: int, *inputs: Any) -> Tensor:
        """The loss at a place, from what was computed or alone."""
        if self.inputs is None:
            self.inputs, self.versions = inputs, _versions(inputs)
            self.options = {i: _options(part) for i, part in self.parts.items()}
            self.results = self.compute_all(*inputs)
        if index in self.results and self._is_for(index, inputs):
            return self.results.pop(index)
        return self.compute_one(index, *inputs)

    def _is_for(self, index: int, inputs: tuple[Any, ...]) -> bool:
        """Whether the results were computed for this call."""
        return (
            self.inputs is not None
            and _same(inputs, self.inputs)
            and _versions(inputs) == self.versions
            and _options(self.parts[index]).same(self.options[index])
        )


class Turn:
    """What a call of a loss is answered by while it is the loss's turn."""

    def __init__(self, part: nn.Module, index: int, compute: Compute) -> None:
        self.part = part
        self.index = index
        self.compute = compute
        self.over = False
        self.before: Any = None  # what answered the loss's calls

    @not_compiled
    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The loss, called as a head calls it."""
        name = type(self.part).__name__
        refuse_per_pixel(name, avg_factor, reduction_override)
        return self.compute(self.index, logits, target, weight, ignore_index)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of a loss takes no turn: it is called as its class says."""
        return getattr, (self.part, 'forward')


@contextmanager
def taking(turn: Turn) -> Iterator[None]:
    """Let calls of a loss be answered by its turn for as long as this lasts.

    Turns of one loss may end in any order, as those of `zip(loss, loss)` do.
    """
    attributes = vars(turn.part)
    turn.before = attributes.get('forward')
    attributes['forward'] = turn
    try:
        yield
    finally:
        turn.over = True
        answer = attributes.pop('forward', None)
        while isinstance(answer, Turn) and answer.over:
            answer = answer.before
        if answer is not None:
            attributes['forward'] = answer


def _versions(inputs: tuple[Any, ...]) -> list[Any]:
    """What changes when a tensor is changed in place, or a graph is wanted."""
    tensors = [each for each in inputs if isinstance(each, Tensor)]
    versions = [None if each.is_inference() else each._version for each in tensors]
    return [torch.is_grad_enabled(), *versions]


class Options(NamedTuple):
    """The values that an assignment to a loss would replace, and their versions."""

    values: list[Any]
    versions: list[Any]

    def same(self, others: 'Options') -> bool:
        """Whether nothing was assigned or changed in place between the two."""
        return _same(self.values, others.values) and self.versions == others.versions


def _options(part: nn.Module) -> Options:
    """The options of a loss at this moment."""
    own = [value for name, value in vars(part).items() if name != 'forward']
    buffers = tuple(part.buffers())
    return Options([*own, *buffers], _versions(buffers))


def _same(some: Any, others: Any) -> bool:
    return len(some) == len(others) and all(
        a is b for a, b in zip(some, others, strict=True)
    )
