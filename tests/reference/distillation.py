"""What a student is away from a teacher: loops over pixels, channels and classes.

Student and teacher are logits (N, C, *), weight (N, *); pixels of weight 0 are never
looked at. Gradients come from differences of these loops.
"""

import math

import numpy as np

from tests.reference.cross_entropy import flatten, log_softmax


def teacher_divergence(
    student: np.ndarray, teacher: np.ndarray, weight: np.ndarray, temperature: float
) -> float:
    """T^2 sum w sum_c t_c log(t_c / s_c) / sum w."""
    zs, zt, w = flatten(student, teacher, weight)
    total = 0.0
    for i in range(len(w)):
        if w[i] == 0:
            continue
        log_s, log_t = (log_softmax(z[i] / temperature) for z in (zs, zt))
        for c in range(len(log_s)):
            total += w[i] * math.exp(log_t[c]) * (log_t[c] - log_s[c])
    return temperature**2 * total / w.sum() if w.sum() > 0 else 0.0


def channel_wise_divergence(
    student: np.ndarray, teacher: np.ndarray, weight: np.ndarray, temperature: float
) -> float:
    """T^2 / (N C) sum_n sum_c sum_i t_i log(t_i / s_i), t and s sum to 1 over i.

    A pixel of weight w is w pixels. N counts the images that have a pixel.
    """
    images, channels = student.shape[:2]
    total, counted = 0.0, 0
    for n in range(images):
        w = weight[n].reshape(-1)
        pixels = [i for i in range(len(w)) if w[i] > 0]
        counted += bool(pixels)
        for c in range(channels if pixels else 0):
            zs, zt = (
                each[n, c].reshape(-1).astype(float) / temperature
                for each in (student, teacher)
            )
            sum_s = sum(w[i] * math.exp(zs[i]) for i in pixels)
            sum_t = sum(w[i] * math.exp(zt[i]) for i in pixels)
            for i in pixels:
                s, t = math.exp(zs[i]) / sum_s, math.exp(zt[i]) / sum_t
                total += w[i] * t * math.log(t / s)
    return temperature**2 * total / (counted * channels) if counted else 0.0


def pearson(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    """Pearson's correlation of x and y, element i counting w_i times."""
    total = sum(w)
    mean_x = sum(a * b for a, b in zip(w, x, strict=True)) / total
    mean_y = sum(a * b for a, b in zip(w, y, strict=True)) / total
    covariance = variance_x = variance_y = 0.0
    for a, b, k in zip(x, y, w, strict=True):
        covariance += k * (a - mean_x) * (b - mean_y)
        variance_x += k * (a - mean_x) ** 2
        variance_y += k * (b - mean_y) ** 2
    if variance_x == 0 or variance_y == 0:
        return 0.0
    return covariance / math.sqrt(variance_x) / math.sqrt(variance_y)


def correlation_losses(
    student: np.ndarray, teacher: np.ndarray, weight: np.ndarray, temperature: float
) -> tuple[float, float]:
    """1 - Pearson over the classes of a pixel, and over all pixels of a class."""
    zs, zt, w = flatten(student, teacher, weight)
    pixels = [i for i in range(len(w)) if w[i] > 0]
    if not pixels:
        return 0.0, 0.0
    ps = np.array([np.exp(log_softmax(zs[i] / temperature)) for i in pixels])
    pt = np.array([np.exp(log_softmax(zt[i] / temperature)) for i in pixels])
    w = w[pixels]
    classes = range(ps.shape[1])
    ones = np.ones(ps.shape[1])
    inter = sum(
        k * (1 - pearson(a, b, ones)) for k, a, b in zip(w, ps, pt, strict=True)
    )
    intra = sum(1 - pearson(ps[:, c], pt[:, c], w) for c in classes)
    return inter / w.sum(), intra / len(classes)
