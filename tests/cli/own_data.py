"""Made-up images and masks as people have them: street, aerial and medical."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (32, 48)
COLOURS = ((0, 0, 255), (0, 255, 0), (255, 255, 255))  # water, trees, buildings


def labels(count: int, classes: int, seed: int = 0):
    """Label maps with a disk of each class but the first, and noisy images of them."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    for _ in range(count):
        label = np.zeros(SIZE, np.uint8)
        for each in range(1, classes):
            row, column = rng.integers(8, SIZE[0] - 8), rng.integers(8, SIZE[1] - 8)
            label[(rows - row) ** 2 + (columns - column) ** 2 < 36] = each
        label[:2, :2] = np.arange(4).reshape(2, 2) % classes  # each occurs
        image = label[..., None] * np.array([90, 60, 30]) + rng.integers(
            0, 60, (*SIZE, 3)
        )
        yield image.astype(np.uint8), label


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def street(root: Path) -> None:
    """Ids, void as 255, three frames of each drive, and one more image."""
    for index, (image, label) in enumerate(labels(12, 3)):
        label[-1, :4] = 255
        name = f'drive{index // 3}_{index % 3}'
        save(root / 'images' / f'{name}.jpg', image)
        save(root / 'masks' / f'{name}.png', label)
    save(root / 'new' / 'tomorrow.jpg', image)


def aerial(root: Path) -> None:
    """Colours, folders train, val and test, names that differ at their ends."""
    for index, (image, label) in enumerate(labels(8, 3, seed=1)):
        name = f'{("train", "val", "test", "train")[index % 4]}/{index}'
        save(root / 'tiles' / f'{name}_sat.png', image)
        save(root / 'labels' / f'{name}_label.png', np.array(COLOURS, np.uint8)[label])
    (root / 'classes.csv').write_text(
        'name,r,g,b\nwater,0,0,255\ntrees,0,255,0\nbuildings,255,255,255\n'
    )


def medical(root: Path) -> None:
    """Black and white, a subfolder for each patient."""
    for index, (image, label) in enumerate(labels(8, 2, seed=2)):
        name = f'patient{index // 2}/slice{index % 2}.png'
        save(root / 'scans' / name, image)
        save(root / 'lesions' / name, label * 255)
