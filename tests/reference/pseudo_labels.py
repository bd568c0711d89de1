"""Pseudo-labels, their mixing and their counts: loops over pictures and pixels."""

import math

import numpy as np


def probabilities(scores: np.ndarray) -> list[float]:
    """The probabilities of one pixel's logits (C,); one channel is (1 - p, p)."""
    if len(scores) == 1:
        p = 1 / (1 + math.exp(-scores[0]))
        return [1 - p, p]
    powers = [math.exp(z - max(scores)) for z in scores]
    return [power / sum(powers) for power in powers]


def sharpened(probs: list[float], temperature: float) -> list[float]:
    """p^(1/T) / sum of p^(1/T)."""
    powers = [p ** (1 / temperature) for p in probs]
    return [power / sum(powers) for power in powers]


def pseudo_labels(
    logits: np.ndarray, valid: np.ndarray, threshold: float, temperature: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The soft target (N,C,H,W), the most probable class and the weight (N,H,W)."""
    target = np.zeros(logits.shape)
    label, weight = np.zeros(valid.shape, int), np.zeros(valid.shape)
    for n, y, x in np.ndindex(*valid.shape):
        probs = probabilities(logits[n, :, y, x])
        label[n, y, x] = probs.index(max(probs))
        weight[n, y, x] = float(valid[n, y, x] and max(probs) >= threshold)
        soft = sharpened(probs, temperature)
        target[n, :, y, x] = soft if logits.shape[1] > 1 else soft[1:]
    return target, label, weight


def mix(values: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Values (N,C,H,W) whose pixels under the mask are those of the picture before."""
    mixed = values.copy()
    for n, y, x in np.ndindex(*masks.shape):
        if masks[n, y, x]:
            mixed[n, :, y, x] = values[n - 1, :, y, x]
    return mixed


def supervision_counts(
    label: np.ndarray, weight: np.ndarray, valid: np.ndarray, num_classes: int
) -> list[list[int]]:
    """How often each class is a valid pixel's label, and a supervised one's."""
    counts = [[0] * num_classes, [0] * num_classes]
    for place in np.ndindex(*label.shape):
        counts[0][label[place]] += bool(valid[place])
        counts[1][label[place]] += bool(weight[place] > 0)
    return counts
