"""What the tests of the laws of the Jaccard losses share."""

import numpy as np
from hypothesis import strategies as st

from mmseg_jml.functional.jaccard import jaccard_loss
from tests.functional.cases import MODES, Case, tensors, value_and_gradient

modes = st.sampled_from(MODES)
smooths = st.sampled_from([0.0, 0.001, 1.0])


def measure(case: Case, **options) -> tuple[float, np.ndarray]:
    """The loss of a case and its gradient by probs."""
    _, target, weight = tensors(case)
    return value_and_gradient(
        lambda p: jaccard_loss(p, target, weight, **options), case.probs
    )


def value(case: Case, **options) -> float:
    """The loss of a case."""
    return jaccard_loss(*tensors(case), **options).item()


def only(reduction: str) -> dict[str, float]:
    """The reduction alone."""
    return {reduction: 1.0}
