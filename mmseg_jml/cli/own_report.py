"""What new-config prints about a user's folders."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .config_text import Own, batch_size, crop_size, iterations

if TYPE_CHECKING:
    from ..datasets.division import Split
    from ..datasets.folder import Pair, Pairs
    from ..datasets.mask_meaning import Meaning
    from ..datasets.mask_values import Values

SHOWN = 5  # files that a sentence names


def say_pairs(found: Pairs, args: argparse.Namespace, rater: str = '') -> None:
    """How many images have a mask, and which files are left out."""
    kinds = Counter(pair.suffix for pair in found.pairs)
    said = ', '.join(f'{number} *{suffix}' for suffix, number in kinds.most_common())
    who = f' of {rater}' if rater else ''
    print(f'{len(found.pairs)} images in {args.images} have a mask{who}: {said}.')
    for left, other in ((found.images_left, 'mask'), (found.masks_left, 'image')):
        if left:
            print(f'Left out: {len(left)} files without {other}: {_some(left)}.')


def say_bands(pair: Pair) -> None:
    """Say what the config's loader changes, if the first image is not 8-bit colour."""
    import cv2

    pixels = cv2.imread(str(pair.image), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        return
    bands = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != 'uint8' or bands not in (1, 3):
        print(
            f'The image {pair.image} has {bands} bands of {pixels.dtype}, and the '
            f'config reads it as 8-bit colour. To use all that it holds, give both '
            f"LoadImageFromFile color_type='unchanged', and set the backbone's "
            f'in_channels and the mean and std of data_preprocessor.'
        )


def say_masks(meaning: Meaning, values: Sequence[Values]) -> None:
    """What the masks contain, class by class."""
    print(f'The masks contain {meaning.kind}. {len(meaning.classes)} classes:')
    total = sum(sum(each.pixels.values()) for each in values)
    for index, name in enumerate(meaning.classes):
        if not meaning.pixels[index]:
            continue
        share = 100 * meaning.pixels[index] / total
        colour = meaning.palette[index]
        print(f'    {index} {name}: {share:.2f} % of the pixels, colour {colour}')
    absent = meaning.pixels.count(0)
    if absent:
        print(f'{absent} of the classes do not occur in any mask.')
    rest = total - sum(meaning.pixels)
    if rest:
        print(f'{100 * rest / total:.2f} % of the pixels are ignored.')
    sets = [set(each.pixels) for each in values]
    odd = sum(each == {0, 255} for each in sets)
    if not meaning.coloured and meaning.ids is None and odd:
        print(
            f'{odd} masks contain only 0 and 255, and 255 is ignored. If these masks '
            'are black and white, replace 255 with 1 in them.'
        )
    if meaning.from_one:
        print('The class ids start at 1, so 0 is ignored (reduce_zero_label=True).')


def say_split(split: Split) -> None:
    """How many images are in each part, and by which rule."""
    numbers = ', '.join(f'{len(names)} {part}' for part, names in split.parts.items())
    print(f'Split: {numbers}; {split.how}.')
    if 'test' not in split.parts:
        print('There are no test images, so `test` uses the validation images.')


def say_config(own: Own, out: Path, data: Path) -> None:
    """Which model trains for how long, and what to run next."""
    steps = own.iterations or iterations(own.number)
    start = 'weights trained on ImageNet' if own.pretrained else 'random weights'
    height, width = crop_size(own.sizes)
    quoted = shlex.quote(str(out))
    print(
        f'The model is DeepLabV3+ with a MobileNetV2 backbone and {start}. It trains '
        f'for {steps} iterations, each with {batch_size(own.number)} crops of '
        f'{height}x{width}.\n'
        f'Wrote {out}; its lists are in {data}. Next, run:\n'
        f'    python -m mmseg_jml check-dataset {quoted}\n'
        f'    python -m mmseg_jml train {quoted} --loss jml'
    )


def _some(names: Sequence[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more
