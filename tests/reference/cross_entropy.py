"""Cross-entropy and Kullback-Leibler divergence against a probability target.

One pixel at a time, with the gradient by the logits derived by hand.
"""

import math

import numpy as np


def log_softmax(z: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities of one pixel, z (C,)."""
    highest = z.max()
    return z - highest - math.log(sum(math.exp(v - highest) for v in z))


def log_logistic(z: float) -> float:
    """log(1 / (1 + exp(-z))) without overflow."""
    return min(z, 0.0) - math.log1p(math.exp(-abs(z)))


def flatten(
    logits: np.ndarray, target: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, C, *), (N, C, *), (N, *) or None -> pixels (NP, C), (NP, C), (NP,)."""
    classes = logits.shape[1]
    z = np.moveaxis(logits.astype(np.float64), 1, -1).reshape(-1, classes)
    y = np.moveaxis(target.astype(np.float64), 1, -1).reshape(-1, classes)
    if weight is None:
        return z, y, np.ones(len(z))
    return z, y, weight.astype(np.float64).reshape(-1)


def unflatten(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels (NP, C) -> (N, C, *), the inverse of `flatten`."""
    return np.moveaxis(pixels.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def softmax_pixel(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """l = -sum_c y_c log p_c of one pixel (C,), and its gradient p sum(y) - y."""
    log_p = log_softmax(z)
    # 0 log 0 = 0: a class without target mass costs nothing, however unlikely
    loss = -sum(y_c * l_c for y_c, l_c in zip(y, log_p, strict=True) if y_c > 0)
    return loss, np.exp(log_p) * y.sum() - y


def sigmoid_element(z: float, y: float, k: float) -> tuple[float, float]:
    """l = -k y log p - (1 - y) log(1 - p) of one channel, and its gradient."""
    loss = -k * y * log_logistic(z) - (1 - y) * log_logistic(-z)
    p, q = math.exp(log_logistic(z)), math.exp(log_logistic(-z))
    return loss, (1 - y) * p - k * y * q


def cross_entropy(
    logits: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    class_weight: np.ndarray | None = None,
    sigmoid: bool = False,
) -> tuple[float, np.ndarray]:
    """sum w k l / sum w k, and its gradient by the logits (N, C, *).

    Softmax: a term for each pixel, k = sum_c k_c y_c (1 without class weights).
    Sigmoid: a term for each pixel and channel, in whose mean no class weight counts: it
    multiplies the positive outcome alone. No weight at all: 0.
    """
    z, y, w = flatten(logits, target, weight)
    k_c = np.ones(z.shape[1]) if class_weight is None else class_weight
    total, total_weight, gradient = 0.0, 0.0, np.zeros(z.shape)
    for i in range(len(z)):
        if w[i] == 0:
            continue
        if sigmoid:
            for c in range(z.shape[1]):
                loss, slope = sigmoid_element(z[i, c], y[i, c], k_c[c])
                total += w[i] * loss
                total_weight += w[i]
                gradient[i, c] = w[i] * slope
        else:
            k = 1.0 if class_weight is None else sum(k_c * y[i])
            loss, slope = softmax_pixel(z[i], y[i])
            total += w[i] * k * loss
            total_weight += w[i] * k
            gradient[i] = w[i] * k * slope
    if total_weight == 0:
        return 0.0, np.zeros(logits.shape)
    return total / total_weight, unflatten(gradient / total_weight, logits.shape)


def kl_divergence(
    logits: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """sum w sum_c y log(y / p) / sum w, and its gradient by the logits (N, C, *)."""
    z, y, w = flatten(logits, target, weight)
    total, gradient = 0.0, np.zeros(z.shape)
    for i in range(len(z)):
        if w[i] == 0:
            continue
        loss, slope = softmax_pixel(z[i], y[i])
        negative_entropy = sum(y_c * math.log(y_c) for y_c in y[i] if y_c > 0)
        total += w[i] * (negative_entropy + loss)
        gradient[i] = w[i] * slope
    if w.sum() == 0:
        return 0.0, np.zeros(logits.shape)
    return total / w.sum(), unflatten(gradient / w.sum(), logits.shape)
