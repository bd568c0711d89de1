"""Fine-grained IoU, one pixel, picture and class at a time (arXiv 2310.19252)."""

import math

import numpy as np

NAMES = ('Acc', 'IoU', 'Dice')


def areas(prediction: np.ndarray, label: np.ndarray, c: int, ignore_index: int = 255):
    """Intersection, predicted and labelled pixels of one class in a picture (*)."""
    both = predicted = labelled = 0
    for place in np.ndindex(label.shape):
        if label[place] == ignore_index:
            continue
        predicted += prediction[place] == c
        labelled += label[place] == c
        both += prediction[place] == c and label[place] == c
    return both, predicted, labelled


def ratio(name: str, both: int, predicted: int, labelled: int) -> float | None:
    """A measure of one class, None where it is 0 / 0."""
    part, whole = {
        'Acc': (both, labelled),
        'IoU': (both, predicted + labelled - both),
        'Dice': (2 * both, predicted + labelled),
    }[name]
    return part / whole if whole else None


def mean(values: list[float]) -> float | None:
    """Their mean; None without values."""
    return sum(values) / len(values) if values else None


def worst(values: list[float], percent: float) -> list[float]:
    """The lowest share of the values, but at least one."""
    number = math.floor(percent * len(values) / 100)
    return sorted(values)[: max(1, number)]


def fine_grained(
    prediction: np.ndarray, label: np.ndarray, num_classes: int, percent: float = 100
) -> dict[str, float]:
    """All measures of pictures (N, *) that have a value."""
    pictures, classes = range(len(label)), range(num_classes)
    table = [[areas(prediction[i], label[i], c) for c in classes] for i in pictures]
    found: dict[str, float | None] = {}
    for name in NAMES:
        pooled = [
            tuple(sum(table[i][c][k] for i in pictures) for k in range(3))
            for c in classes
        ]
        ratios = [ratio(name, *pooled[c]) for c in classes]
        found[f'm{name}_D'] = mean([r for r in ratios if r is not None])
        by_image, by_class = [], [[] for _ in classes]
        for i in pictures:
            present = [c for c in classes if table[i][c][2]]
            values = [ratio(name, *table[i][c]) for c in present]
            if values:
                by_image.append(mean(values))
            for c, value in zip(present, values, strict=True):
                by_class[c].append(value)
        found[f'm{name}_I'] = mean(worst(by_image, percent)) if by_image else None
        found[f'm{name}_C'] = mean(
            [mean(worst(values, percent)) for values in by_class if values]
        )
    accuracies = []
    for i in pictures:
        labelled = sum(table[i][c][2] for c in classes)
        if labelled:
            accuracies.append(sum(table[i][c][0] for c in classes) / labelled)
    found['Acc_I'] = mean(worst(accuracies, percent)) if accuracies else None
    both = sum(table[i][c][0] for i in pictures for c in classes)
    labelled = sum(table[i][c][2] for i in pictures for c in classes)
    found['Acc_D'] = both / labelled if labelled else None
    if not labelled:  # predictions alone are no data
        return {}
    return {
        name: value
        for name, value in found.items()
        if value is not None and not (percent < 100 and name.endswith('_D'))
    }


def foreground(prediction: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """The measures of class 1 against class 0, over all pixels, that have a value."""
    right = {0: 0, 1: 0}
    wrong = {0: 0, 1: 0}  # by label
    for place in np.ndindex(label.shape):
        if label[place] != 255:
            counts = right if prediction[place] == label[place] else wrong
            counts[int(label[place])] += 1
    found = {
        'IoU': (right[1], right[1] + wrong[0] + wrong[1]),
        'Dice': (2 * right[1], 2 * right[1] + wrong[0] + wrong[1]),
        'sensitivity': (right[1], right[1] + wrong[1]),
        'specificity': (right[0], right[0] + wrong[0]),
    }
    return {name: part / whole for name, (part, whole) in found.items() if whole}
