"""What the tests of cross-entropy and KL divergence share."""

from collections.abc import Callable

import numpy as np
from torch import Tensor, ones

from mmseg_jml.functional.cross_entropy import cross_entropy, kl_divergence
from tests.functional.cases import (
    SHAPES,
    Case,
    cases,
    tensors,
    value_and_gradient,
)

SOFTMAX_SHAPES = tuple(shape for shape in SHAPES if shape[1] > 1)
softmax_cases = cases(shapes=SOFTMAX_SHAPES)


def logits_of(case: Case, spread: float = 3.0) -> np.ndarray:
    """Logits of a case's shape that depend on nothing else than the case."""
    seed = int(case.probs.sum() * 1e6)
    draw = np.random.default_rng(seed).normal(0, spread, case.probs.shape)
    return draw.astype(case.probs.dtype)


def distribution(case: Case) -> Case:
    """The case with a target that sums to one."""
    return case.with_(target=case.target / case.target.sum(1, keepdims=True))


def measure(case: Case, sigmoid: bool = False, **options) -> tuple[float, np.ndarray]:
    """Cross-entropy of a case and its gradient by the logits."""
    _, target, weight = tensors(case)
    return value_and_gradient(
        lambda z: cross_entropy(z, target, weight, sigmoid=sigmoid, **options),
        logits_of(case),
    )


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    'softmax': cross_entropy,
    'sigmoid': lambda z, y, w: cross_entropy(z, y, w, sigmoid=True),
    'weighted': lambda z, y, w: cross_entropy(z, y, w, class_weight=ones(3)),
    'kl': kl_divergence,
}
