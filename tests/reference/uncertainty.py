"""Confidence and entropy of one pixel's probabilities."""

import math
from collections.abc import Sequence


def entropy(probs: Sequence[float]) -> float:
    """-sum p log p in nats; a class without probability adds nothing."""
    return -sum(p * math.log(p) for p in probs if p > 0)
