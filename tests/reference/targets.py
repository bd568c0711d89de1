"""Hard labels to one-hot targets, one pixel at a time.

Section 2.1 of the paper: y^c = {y = c}, encoded as a binary vector over the pixels.
"""

import numpy as np


def valid_mask(label: np.ndarray, ignore_index: int = 255) -> np.ndarray:
    """Which pixels count: label (N, *) -> bool (N, *)."""
    valid = np.zeros(label.shape, dtype=bool)
    for pixel in np.ndindex(label.shape):
        valid[pixel] = label[pixel] != ignore_index
    return valid


def one_hot(label: np.ndarray, num_classes: int, ignore_index: int = 255) -> np.ndarray:
    """Label (N, *) -> target (N, C, *), all zero at ignored pixels.

    One class is the binary task: its only channel is the foreground, label 1.
    """
    target = np.zeros((label.shape[0], num_classes, *label.shape[1:]))
    for image, *place in np.ndindex(label.shape):
        class_id = label[(image, *place)]
        if class_id == ignore_index:
            continue
        if num_classes == 1:
            target[(image, 0, *place)] = 1.0 if class_id == 1 else 0.0
        else:
            target[(image, class_id, *place)] = 1.0
    return target
