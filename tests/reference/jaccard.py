"""The Jaccard losses of the paper, pixel by pixel, and their gradients by hand.

One class at a time: x are its predicted probabilities, y its target, w the weight of
each pixel (0 = ignored). Equations 2, 3, 12 and 13 of the paper as one family,

    score = (I + s) / (I + alpha FP + beta FN + s),

where the variants differ in how they count the intersection I, the false positives FP
and the false negatives FN.
"""

import math

import numpy as np

from .active_classes import active_classes as active_mask
from .active_classes import active_in_batch
from .targets import one_hot, valid_mask

VARIANTS = ('jml1', 'jml2', 'sjl_l1', 'sjl_l2')


def pixel_overlap(x: float, y: float, variant: str) -> tuple[float, float, float]:
    """What one pixel adds to I, FP and FN."""
    if variant == 'jml1':
        return min(x, y), max(x - y, 0.0), max(y - x, 0.0)
    if variant == 'jml2':
        return x * y, max(x - y, 0.0), max(y - x, 0.0)
    if variant == 'sjl_l1':
        return x * y, x - x * y, y - x * y
    if variant == 'sjl_l2':
        return x * y, x * x - x * y, y * y - x * y
    raise ValueError(variant)


def pixel_slopes(x: float, y: float, variant: str) -> tuple[float, float, float]:
    """The derivatives of a pixel's I, FP and FN by x; at the kink x = y the mean."""
    above = 1.0 if x > y else 0.0 if x < y else 0.5
    if variant == 'jml1':
        return 1.0 - above, above, above - 1.0
    if variant == 'jml2':
        return y, above, above - 1.0
    if variant == 'sjl_l1':
        return y, 1.0 - y, -y
    if variant == 'sjl_l2':
        return y, 2.0 * x - y, -y
    raise ValueError(variant)


def class_sums(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, variant: str
) -> tuple[float, float, float]:
    """I, FP and FN of one class over its pixels; x, y and w are (P,)."""
    sums = np.zeros(3)
    for x_i, y_i, w_i in zip(x, y, w, strict=True):
        if w_i > 0:
            sums += w_i * np.array(pixel_overlap(x_i, y_i, variant))
    return tuple(float(total) for total in sums)


def flatten(
    probs: np.ndarray, target: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, C, *), (N, C, *), (N, *) or None -> (N, C, P), (N, C, P), (N, P)."""
    images, classes = probs.shape[:2]
    x = probs.astype(np.float64).reshape(images, classes, -1)
    y = target.astype(np.float64).reshape(images, classes, -1)
    if weight is None:
        return x, y, np.ones((images, x.shape[2]))
    return x, y, weight.astype(np.float64).reshape(images, -1)


def overlap_sums(
    probs: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    variant: str = 'jml1',
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """I, FP and FN, each (N, C): for every image and class."""
    x, y, w = flatten(probs, target, weight)
    sums = np.zeros((3, *x.shape[:2]))
    for n, c in np.ndindex(x.shape[:2]):
        sums[:, n, c] = class_sums(x[n, c], y[n, c], w[n], variant)
    return sums[0], sums[1], sums[2]


def overlap_loss(
    intersection: float,
    false_positive: float,
    false_negative: float,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
    log_loss: bool = False,
    smooth: float = 1.0,
) -> float:
    """The loss of one class from its sums; 0 where there is nothing to count."""
    mistakes = alpha * false_positive + beta * false_negative
    union = intersection + mistakes + smooth
    if union == 0:
        return 0.0
    if log_loss:
        return float((-math.log((intersection + smooth) / union)) ** gamma)
    # 1 - score, written as equation 21 does: no difference of near-equal numbers
    return float((mistakes / union) ** gamma)


def overlap_loss_slopes(
    intersection: float,
    false_positive: float,
    false_negative: float,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
    log_loss: bool = False,
    smooth: float = 1.0,
) -> tuple[float, float, float]:
    """The derivatives of `overlap_loss` by I, FP and FN (the quotient rule)."""
    mistakes = alpha * false_positive + beta * false_negative
    union = intersection + mistakes + smooth
    if union == 0:
        return 0.0, 0.0, 0.0
    score = (intersection + smooth) / union
    score_slopes = np.array([mistakes, -alpha * score * union, -beta * score * union])
    score_slopes /= union**2
    base = -math.log(score) if log_loss else mistakes / union
    base_slopes = -score_slopes / score if log_loss else -score_slopes
    slopes = gamma * base ** (gamma - 1) * base_slopes
    return tuple(float(slope) for slope in slopes)


def terms(
    active: np.ndarray, reduction: dict[str, float], class_weight: np.ndarray
) -> list[tuple[float, list[int], int]]:
    """The reductions spelled out: the loss is the sum of share * loss_c(images).

    A term (share, images, c) is class c over the pixels of those images together.
    batch: all images together, mean over the classes active in any. image: each
    image's mean over its active classes, then the mean over images that have one.
    per_class: each class's mean over the images where it is active, then the mean
    over classes active in any. A class weight multiplies its class's loss; where it is
    0 the class is never active.
    """
    active = active & (np.asarray(class_weight) > 0)
    images, classes = active.shape
    anywhere = active_in_batch(active)
    found = []
    for c in range(classes):
        if anywhere[c]:
            share = reduction.get('batch', 0.0) * class_weight[c] / anywhere.sum()
            found.append((share, list(range(images)), c))
    counted = sum(1 for n in range(images) if any(active[n]))
    for n, c in np.ndindex(images, classes):
        if not active[n, c]:
            continue
        by_image = 1.0 / (active[n].sum() * counted)
        by_class = 1.0 / (active[:, c].sum() * anywhere.sum())
        share = reduction.get('image', 0.0) * by_image
        share += reduction.get('per_class', 0.0) * by_class
        found.append((share * class_weight[c], [n], c))
    return [term for term in found if term[0] != 0]


def jaccard_loss_and_gradient(
    probs: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    variant: str = 'jml1',
    active_classes: str = 'label',
    threshold: float = 0.01,
    reduction: dict[str, float] | None = None,
    class_weight: np.ndarray | None = None,
    sigmoid: bool = False,
    **loss_options: float,
) -> tuple[float, np.ndarray]:
    """The loss and its gradient by probs (N, C, *); `loss_options` as `overlap_loss`.

    probs and target (N, C, *) in [0, 1], weight (N, *). No active class: 0.
    """
    reduction = {'batch': 1.0} if reduction is None else reduction
    per_class = np.ones(probs.shape[1]) if class_weight is None else class_weight
    x, y, w = flatten(probs, target, weight)
    chosen = active_mask(x, y, w, active_classes, threshold, sigmoid)
    sums = np.array(overlap_sums(x, y, w, variant))
    loss, gradient = 0.0, np.zeros(x.shape)
    for share, images, c in terms(chosen, reduction, per_class):
        totals = [sums[k, images, c].sum() for k in range(3)]
        loss += share * overlap_loss(*totals, **loss_options)
        slopes = overlap_loss_slopes(*totals, **loss_options)
        for n in images:
            for i in range(x.shape[2]):
                if w[n, i] > 0:
                    by_x = pixel_slopes(x[n, c, i], y[n, c, i], variant)
                    gradient[n, c, i] += share * w[n, i] * np.dot(slopes, by_x)
    return float(loss), gradient.reshape(probs.shape)


def jaccard_loss(probs: np.ndarray, target: np.ndarray, *args, **options) -> float:
    """The value alone of `jaccard_loss_and_gradient`."""
    return jaccard_loss_and_gradient(probs, target, *args, **options)[0]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over axis 1."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def logistic(logits: np.ndarray) -> np.ndarray:
    """A probability for each channel by itself."""
    decay = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, decay) / (1.0 + decay)


def jaccard_loss_from_logits(
    logits: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    sigmoid: bool = False,
    temperature: float = 1.0,
    ignore_index: int = 255,
    **options,
) -> tuple[float, np.ndarray]:
    """The loss and its gradient by the logits (N, C, *).

    target is hard (N, *), integer, with `ignore_index`, or soft (N, C, *), floating,
    whose ignored pixels have weight 0. `options` as `jaccard_loss_and_gradient`.
    """
    if np.issubdtype(target.dtype, np.integer):
        valid = valid_mask(target, ignore_index).astype(np.float64)
        weight = valid if weight is None else valid * weight
        target = one_hot(target, logits.shape[1], ignore_index)
    scaled = logits.astype(np.float64) / temperature
    probs = logistic(scaled) if sigmoid else softmax(scaled)
    loss, by_probs = jaccard_loss_and_gradient(
        probs, target, weight, sigmoid=sigmoid, **options
    )
    if sigmoid:
        by_logits = by_probs * probs * (1 - probs)
    else:
        mean = (by_probs * probs).sum(axis=1, keepdims=True)
        by_logits = probs * (by_probs - mean)
    return loss, by_logits / temperature
