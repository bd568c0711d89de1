"""Random cases and comparisons that the tests of the functional floor share."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

# One run is like the next, and the whole folder stays below a minute on one core.
laws = settings(derandomize=True, deadline=None, database=None, max_examples=25)

VARIANTS = ('jml1', 'jml2', 'sjl_l1', 'sjl_l2')
METRICS = ('jml1', 'jml2')
MODES = ('all', 'present', 'label', 'prob', 'both')
REDUCTIONS = ('batch', 'image', 'per_class')

# (N, C, *): pictures, a row, a column, one pixel, points, one class, many classes
SHAPES = (
    (2, 3, 4, 5),
    (3, 4, 1, 7),
    (2, 5, 6, 1),
    (1, 2, 1, 1),
    (2, 3, 9),
    (1, 2, 1),
    (2, 1, 3, 3),
    (1, 150, 2, 3),
)

seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Case:
    """Probabilities and target (N, C, *) strictly inside (0, 1), weight (N, *)."""

    probs: np.ndarray
    target: np.ndarray
    weight: np.ndarray

    def as_type(self, dtype: type) -> 'Case':
        """The same numbers, rounded to a type."""
        parts = (self.probs, self.target, self.weight)
        return Case(*(part.astype(dtype) for part in parts))

    def with_(self, **parts: np.ndarray) -> 'Case':
        """A copy with some parts replaced."""
        return replace(self, **parts)


def random_label(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    num_classes: int,
    ignore_index: int = 255,
    ignored: float = 0.2,
) -> np.ndarray:
    """An integer label with a share of ignored pixels."""
    label = rng.integers(0, max(num_classes, 2), shape)
    return np.where(rng.random(shape) < ignored, ignore_index, label)


def random_weight(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A third of the pixels ignored, a third whole, a third between 0 and 2."""
    kind = rng.integers(0, 3, shape)
    return np.choose(kind, [np.zeros(shape), np.ones(shape), 2 * rng.random(shape)])


def random_case(seed: int, shape: tuple[int, ...], kind: str = 'soft') -> Case:
    """A soft or hard target beside probabilities; classes of very different size."""
    rng = np.random.default_rng(seed)
    scale = rng.random((1, shape[1], *(1,) * (len(shape) - 2))) ** 4
    probs = rng.uniform(0.001, 0.999, shape)
    target = rng.uniform(0.001, 0.999, shape) * scale
    if kind == 'hard':
        if shape[1] == 1:
            target = (target > 0.5).astype(float)
        else:
            chosen = rng.integers(0, shape[1], (shape[0], 1, *shape[2:]))
            axis = np.arange(shape[1]).reshape(1, -1, *(1,) * (len(shape) - 2))
            target = (chosen == axis).astype(float)
    return Case(probs, target, random_weight(rng, (shape[0], *shape[2:])))


def cases(
    kinds: tuple[str, ...] = ('soft', 'hard'),
    shapes: tuple[tuple[int, ...], ...] = SHAPES,
) -> st.SearchStrategy[Case]:
    """Strategy: cases of every shape."""
    return st.builds(
        random_case, seeds, st.sampled_from(shapes), st.sampled_from(kinds)
    )


# On a grid of 64ths sums and differences are exact, and ties and edges are common.
grid = st.integers(0, 64).map(lambda step: step / 64)
bits = st.sampled_from([0.0, 1.0])


def vectors(*values: st.SearchStrategy[float]) -> st.SearchStrategy[tuple]:
    """Strategy: vectors of one random length, each drawn from its own values."""
    return st.integers(1, 6).flatmap(
        lambda size: st.tuples(
            *(st.lists(value, min_size=size, max_size=size) for value in values)
        )
    )


def tensor(array: np.ndarray | list, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of its own memory; floating lists become float64."""
    return torch.tensor(np.asarray(array), dtype=dtype)


def tensors(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """The three parts of a case."""
    return tensor(case.probs), tensor(case.target), tensor(case.weight)


def value_and_gradient(
    function: Callable[[Tensor], Tensor], at: np.ndarray | Tensor
) -> tuple[float, np.ndarray]:
    """A scalar function's value and gradient at a point, as numbers."""
    point = torch.as_tensor(at).clone().requires_grad_(True)
    value = function(point)
    (gradient,) = torch.autograd.grad(value, point)
    assert gradient.dtype == point.dtype
    return value.item(), gradient.numpy()


def finite_differences(
    function: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-6
) -> np.ndarray:
    """Central differences of a scalar function, one coordinate at a time."""
    slopes = np.zeros(at.shape)
    for place in np.ndindex(at.shape):
        shift = np.zeros(at.shape)
        shift[place] = step
        slopes[place] = (function(at + shift) - function(at - shift)) / (2 * step)
    return slopes


def assert_close(
    actual: float | np.ndarray | Tensor,
    expected: float | np.ndarray | Tensor,
    tolerance: float = 1e-12,
    floor: float = 1e-3,
) -> None:
    """Equal within a share of the largest expected number.

    A gradient is measured by its largest entry: the small ones are sums of large ones.
    Numbers below `floor` are measured by it: they come from numbers of that size.
    """
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    assert actual.shape == expected.shape
    scale = max(floor, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)
