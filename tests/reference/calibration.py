"""Calibration, one pixel at a time.

ECE, MCE: Naeini et al., AAAI 2015; RMSCE: Hendrycks et al., ICLR 2019; class-wise and
adaptive ECE: Nixon et al., CVPRW 2019.
"""

import math
from fractions import Fraction

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of one pixel's logits (C,)."""
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def pixel_scores(
    logits: np.ndarray, label: np.ndarray, ignore_index: int = 255
) -> list[tuple[float, bool, float, float]]:
    """Confidence, correct, NLL and Brier of each valid pixel: (N, C, *), (N, *)."""
    scores = []
    for image, *place in np.ndindex(label.shape):
        y = label[(image, *place)]
        if y == ignore_index:
            continue
        z = logits[(image, slice(None), *place)].astype(np.float64)
        p = softmax(z)
        log_norm = z.max() + math.log(np.exp(z - z.max()).sum())
        brier = sum((p[c] - (c == y)) ** 2 for c in range(len(p)))
        scores.append((p.max(), p.argmax() == y, log_norm - z[y], brier))
    return scores


def bin_of(confidence: float, num_bins: int, closed: str = 'left') -> int:
    """The bin whose exact edges k/B enclose the confidence."""
    exact = Fraction(float(confidence))
    for k in range(num_bins):
        low, high = Fraction(k, num_bins), Fraction(k + 1, num_bins)
        inside = low <= exact < high if closed == 'left' else low < exact <= high
        rim = exact == (1 if closed == 'left' else 0)
        if inside or (rim and k == (num_bins - 1 if closed == 'left' else 0)):
            return k
    raise ValueError(f'{confidence} is no probability')


def table(
    confidence: np.ndarray, correct: np.ndarray, num_bins: int, closed: str = 'left'
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, sum of confidences and number of correct predictions of each bin."""
    count, sums, right = np.zeros(num_bins), np.zeros(num_bins), np.zeros(num_bins)
    for c, r in zip(confidence, correct, strict=True):
        k = bin_of(c, num_bins, closed)
        count[k] += 1
        sums[k] += c
        right[k] += r
    return count, sums, right


def measures(
    confidence: np.ndarray, correct: np.ndarray, num_bins: int, closed: str = 'left'
) -> dict[str, float]:
    """The measures of a set of predictions."""
    count, sums, right = table(confidence, correct, num_bins, closed)
    filled = [k for k in range(num_bins) if count[k]]
    gaps = {k: abs(sums[k] - right[k]) / count[k] for k in filled}
    share = {k: count[k] / count.sum() for k in filled}
    return {
        'ECE': sum(share[k] * gaps[k] for k in filled),
        'MCE': max(gaps.values()),
        'RMSCE': math.sqrt(sum(share[k] * gaps[k] ** 2 for k in filled)),
        'Gap': sums.sum() / count.sum() - right.sum() / count.sum(),
        'Conf': sums.sum() / count.sum(),
        'Acc': right.sum() / count.sum(),
    }


def adaptive_error(
    confidence: np.ndarray, correct: np.ndarray, num_bins: int, ties: int
) -> float:
    """Adaptive ECE with shared pixels on the borders between the groups.

    Confidences of one of `ties` narrow bins are tied: each has their mean difference.
    """
    narrow = [bin_of(c, ties) for c in confidence]
    members: dict[int, list[float]] = {}
    for k, c, r in zip(narrow, confidence, correct, strict=True):
        members.setdefault(k, []).append(c - r)
    ordered = [np.mean(members[k]) for k in sorted(narrow)]
    total, width, error = len(ordered), len(ordered) / num_bins, 0.0
    for group in range(num_bins):
        low, high = group * width, (group + 1) * width
        shares = [max(0, min(i + 1, high) - max(i, low)) for i in range(total)]
        error += abs(sum(s * d for s, d in zip(shares, ordered, strict=True))) / total
    return error


def classwise_errors(
    logits: np.ndarray, label: np.ndarray, num_bins: int, ignore_index: int = 255
) -> list[float]:
    """The ECE of each class's own probability over all valid pixels."""
    num_classes = logits.shape[1]
    confidence: list[list[float]] = [[] for _ in range(num_classes)]
    correct: list[list[bool]] = [[] for _ in range(num_classes)]
    for image, *place in np.ndindex(label.shape):
        y = label[(image, *place)]
        if y == ignore_index:
            continue
        p = softmax(logits[(image, slice(None), *place)].astype(np.float64))
        for c in range(num_classes):
            confidence[c].append(p[c])
            correct[c].append(c == y)
    return [
        measures(np.array(p), np.array(r), num_bins)['ECE']
        for p, r in zip(confidence, correct, strict=True)
    ]
