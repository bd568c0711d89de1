"""Which classes count in the loss: figure 4 of the paper, image by image."""

import numpy as np


def peaks(values: np.ndarray, weight: np.ndarray) -> float:
    """The largest of one class's values (P,) over the pixels that count.

    -inf where no pixel counts: it is above no threshold.
    """
    highest = -np.inf
    for value, w in zip(values, weight, strict=True):
        if w > 0 and value > highest:
            highest = value
    return highest


def is_present(
    target: np.ndarray, weight: np.ndarray, channel: int, sigmoid: bool
) -> bool:
    """Whether a pixel of one image (C, P) belongs to the class more than to others.

    Softmax: the class is the pixel's argmax. Sigmoid: its probability is above 1/2.
    """
    for pixel in range(target.shape[1]):
        if weight[pixel] <= 0:
            continue
        if sigmoid:
            belongs = target[channel, pixel] > 0.5
        else:
            belongs = np.argmax(target[:, pixel]) == channel
        if belongs:
            return True
    return False


def active_classes(
    probs: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    mode: str = 'label',
    threshold: float = 0.01,
    sigmoid: bool = False,
) -> np.ndarray:
    """Bool (N, C), image by image; probs and target (N, C, *), weight (N, *).

    Pixels of weight 0 are not looked at. An image without any other has no active
    class, whatever the mode.
    """
    images, classes = probs.shape[:2]
    x = probs.reshape(images, classes, -1)
    y = target.reshape(images, classes, -1)
    w = np.ones((images, x.shape[2])) if weight is None else weight
    w = w.reshape(images, -1)
    active = np.zeros((images, classes), dtype=bool)
    for n in range(images):
        if not any(w[n] > 0):
            continue
        for c in range(classes):
            if mode == 'all':
                active[n, c] = True
            elif mode == 'present':
                active[n, c] = is_present(y[n], w[n], c, sigmoid)
            elif mode == 'label':
                active[n, c] = peaks(y[n, c], w[n]) > threshold
            elif mode == 'prob':
                active[n, c] = peaks(x[n, c], w[n]) > threshold
            elif mode == 'both':
                active[n, c] = peaks(x[n, c] + y[n, c], w[n]) > threshold
            else:
                raise ValueError(mode)
    return active


def active_in_batch(active: np.ndarray) -> np.ndarray:
    """Bool (C,): a maximum over the batch is the largest of the images' maxima."""
    return np.array([any(active[:, c]) for c in range(active.shape[1])])
