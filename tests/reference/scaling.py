"""The NLL of scaled logits, one pixel at a time, and its minimum by a general method.

Guo et al., ICML 2017, section 4.2.
"""

import math

import numpy as np
from scipy.optimize import minimize, minimize_scalar


def nll(logits: np.ndarray, label: np.ndarray) -> float:
    """Mean of -log softmax(z)_y over pixels: logits (P, C) float64, label (P,)."""
    total = 0.0
    for z, y in zip(logits, label, strict=True):
        largest = max(z)
        total += largest + math.log(sum(math.exp(v - largest) for v in z)) - z[y]
    return total / len(label)


def temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """The T > 0 of the lowest NLL, searched over its logarithm."""
    found = minimize_scalar(
        lambda log_t: nll(logits / math.exp(log_t), label),
        bounds=(-5, 5),
        method='bounded',
        options={'xatol': 1e-9},
    )
    return math.exp(found.x)


def vector(logits: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset (C,) of the lowest NLL, the offsets adding up to 0."""
    classes = logits.shape[1]

    def parts(free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offset = np.append(free[classes:], -free[classes:].sum())
        return free[:classes], offset

    def objective(free: np.ndarray) -> float:
        scale, offset = parts(free)
        return nll(logits * scale + offset, label)

    start = np.append(np.ones(classes), np.zeros(classes - 1))
    found = minimize(objective, start, method='BFGS', options={'gtol': 1e-7})
    return parts(found.x)
