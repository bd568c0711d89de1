"""Write a config for a folder of images and masks: `python -m mmseg_jml new-config`."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .config_text import Own, batch_size, config_text, crop_size, iterations
from .launch import errors_as_sentence, prepare_mmseg
from .own_files import Rater, absolute, id_masks, sources
from .parser import Parser

if TYPE_CHECKING:
    from ..datasets.division import Split
    from ..datasets.folder import Pair, Pairs
    from ..datasets.mask_values import Meaning, Values

SHOWN = 5  # files that a sentence names
SPLITS = ('train', 'val', 'test')


def new_config(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Look at a folder, say what it holds, write a config; the exit status."""
    args = _parser(prog).parse_args(argv)
    prepare_mmseg()
    words = [str(each) for each in (argv or ())]
    command = f'{prog or "new-config"} {shlex.join(words)}'
    with errors_as_sentence():
        _run(args, command)
    return 0


def _parser(prog: str | None) -> Parser:
    parser = Parser(
        prog=prog,
        description='Look at a folder of images and a folder of their masks, say what '
        'they hold, and write a config that trains on them. Masks of colours, of grey '
        'levels or of 0 and 255 are converted to class ids in a folder of their own; '
        'the originals are not changed.',
    )
    parser.add_argument('images', type=Path, metavar='IMAGES', help='a folder')
    parser.add_argument(
        'masks',
        type=Path,
        metavar='MASKS',
        help='a folder; it may have a subfolder for each annotator',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('my_config.py'),
        help='the config (default: %(default)s); lists and converted masks go to a '
        'folder beside it, my_config_data',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='the names of the classes in the order of their ids, or a file that has '
        'one class in each line, with its colour where masks are coloured: name,r,g,b',
    )
    parser.add_argument(
        '--ignore',
        nargs='+',
        default=[],
        metavar='NAME',
        help='classes whose pixels are left out of training and figures',
    )
    parser.add_argument(
        '--lists', type=Path, help='the folder of train.txt, val.txt and test.txt'
    )
    parser.add_argument(
        '--groups',
        metavar='RULE',
        help='for a random split: never part the images of a group. The rule is '
        '`folder`, for the subfolder of an image, or a regular expression for the '
        "beginning of its name such as 'patient[0-9]+'",
    )
    parser.add_argument('--seed', type=int, default=0, help='of a random split')
    parser.add_argument(
        '--rater', metavar='NAME', help='use the masks of this annotator alone'
    )
    parser.add_argument(
        '--threshold',
        type=int,
        metavar='N',
        help='for black and white masks that are not exactly so, as JPEG files: values '
        'of at least N, for example 128, are white',
    )
    parser.add_argument(
        '--image-suffix', help='the end of the names of the images, as _sat.jpg'
    )
    parser.add_argument(
        '--mask-suffix', help='the end of the names of the masks, as _mask.png'
    )
    parser.add_argument(
        '--one-channel',
        action='store_true',
        help='for two classes: one output channel with a sigmoid, in place of two '
        'with a softmax',
    )
    parser.add_argument(
        '--pretrained',
        action='store_true',
        help='start with weights learnt on ImageNet, which are downloaded once',
    )
    parser.add_argument('--iterations', type=int, help='default: by number of images')
    parser.add_argument(
        '--force', action='store_true', help='replace the config and what it wrote'
    )
    parser.add_argument('--workers', type=int, help='how many threads read the files')
    return parser


def _run(args: argparse.Namespace, command: str) -> None:
    from ..datasets.division import choose_split
    from ..datasets.mask_values import explain, read_classes
    from ..files import write_whole

    data = args.out.with_name(f'{args.out.stem}_data')
    _refuse(args, data)
    raters = _raters(args)
    names = sorted({pair.name for rater in raters for pair in rater.pairs})
    sizes, values = _look(raters, args)
    given = read_classes(args.classes) if args.classes else None
    meaning = explain(values, given=given, ignore=args.ignore)
    meaning = meaning._replace(threshold=args.threshold)
    _say_masks(meaning, values)
    if args.one_channel and len(meaning.classes) != 2:
        raise ValueError(
            f'`--one-channel` is for two classes, there are {len(meaning.classes)}'
        )
    split = choose_split(
        names, args.images, lists=args.lists, groups=args.groups, seed=args.seed
    )
    _say_split(split)
    write_whole(data / 'classes.csv', _table(meaning).encode())
    folders, suffix = id_masks(raters, meaning, data, args)
    own = Own(
        command=command,
        images=absolute(args.images),
        lists=absolute(data),
        mask_suffix=suffix,
        sources=sources(raters, split, folders, data),
        classes=meaning.classes,
        palette=meaning.palette,
        from_one=meaning.from_one,
        sizes=sizes,
        number=len(split.parts['train']),
        one_channel=args.one_channel,
        pretrained=args.pretrained,
        iterations=args.iterations,
    )
    write_whole(args.out, config_text(own).encode())
    _say_config(own, args.out, data)


def _refuse(args: argparse.Namespace, data: Path) -> None:
    """What can be refused before any file is read."""
    if args.iterations is not None and args.iterations < 2:
        raise ValueError(f'`--iterations` must be at least 2, got {args.iterations}')
    if args.out.suffix != '.py':
        raise ValueError(f'`--out` must be a Python file, *.py, got {args.out}')
    if args.out.exists() and not args.force:
        raise FileExistsError(
            f'{args.out} is there already: choose another --out, or replace it with '
            f'--force'
        )
    for folder in (args.images, args.masks):
        if not folder.is_dir():
            raise NotADirectoryError(f'there is no folder {folder}')
        if data.resolve().is_relative_to(folder.resolve()):
            raise ValueError(
                f'`--out` must not lie in {folder}: {data} would be among the '
                f'images; choose another folder'
            )


def _raters(args: argparse.Namespace) -> list[Rater]:
    """The pairs of each annotator; says what was found."""
    from ..datasets.folder import find_pairs, find_raters

    suffixes = {'image_suffix': args.image_suffix, 'mask_suffix': args.mask_suffix}
    names = find_raters(args.images, args.masks)
    if args.rater is not None and args.rater not in names:
        raise ValueError(
            f'`--rater` must be a subfolder of {args.masks} with masks of the images: '
            f'{", ".join(names) or "there are none"}; got {args.rater!r}'
        )
    if not names:
        found = find_pairs(args.images, args.masks, **suffixes)
        _say_pairs(found, args)
        return [Rater('', found.pairs)]
    if args.rater:
        names = [args.rater]
    else:
        print(
            f'{len(names)} annotators have masks: {", ".join(names)}. Training uses '
            f'the masks of all; validation and test use those of {names[0]}. '
            f'--rater NAME uses those of one alone.'
        )
    raters = []
    for name in names:
        found = find_pairs(args.images, args.masks / name, **suffixes)
        _say_pairs(found, args, name)
        raters.append(Rater(name, found.pairs))
    return raters


def _say_pairs(found: Pairs, args: argparse.Namespace, rater: str = '') -> None:
    kinds = Counter(pair.suffix for pair in found.pairs)
    said = ', '.join(f'{number} *{suffix}' for suffix, number in kinds.most_common())
    who = f' of {rater}' if rater else ''
    print(f'{len(found.pairs)} images in {args.images} have a mask{who}: {said}.')
    for left, other in ((found.images_left, 'mask'), (found.masks_left, 'image')):
        if left:
            print(f'Left out: {len(left)} files without {other}: {_some(left)}.')


def _look(
    raters: Sequence[Rater], args: argparse.Namespace
) -> tuple[list[tuple[int, int]], list[Values]]:
    """The sizes of the images, and what the masks hold.

    Raises:
        ValueError: Files that cannot be read, or masks of another size.
    """
    from ..datasets.mask_values import read_values
    from ..datasets.parallel import DEFAULT_WORKERS, parallel_map
    from ..datasets.reading import Reader

    reader = Reader()

    def look(pair: Pair, *, coloured: bool = False) -> Values | str:
        try:
            found = read_values(pair.mask, coloured=coloured, threshold=args.threshold)[
                1
            ]
            size = reader.look({'img_path': str(pair.image)}, like=found.shape).size
        except (OSError, ValueError) as error:
            return str(error)
        if found.shape != size:
            return f'mask {pair.mask} is {found.shape}, its image {size} (H, W)'
        return found

    pairs = [pair for rater in raters for pair in rater.pairs]
    workers = args.workers or DEFAULT_WORKERS
    found = parallel_map(look, pairs, workers=workers, what='masks')
    kinds = {each.coloured for each in found if not isinstance(each, str)}
    if len(kinds) > 1:  # numbers become colours, as the file or a screen shows them
        found = [
            look(pair, coloured=True)
            if not isinstance(each, str) and not each.coloured
            else each
            for pair, each in zip(pairs, found, strict=True)
        ]
        print('Some masks hold colours and some numbers: all are read as colours.')
    wrong = [each for each in found if isinstance(each, str)]
    if wrong:
        shown = ''.join(f'\n    {each}' for each in wrong[:SHOWN])
        raise ValueError(
            f'{len(wrong)} of {len(pairs)} pairs cannot be used; mend or remove '
            f'them:{shown}'
        )
    values = [each for each in found if not isinstance(each, str)]
    return [each.shape for each in values[: len(raters[0].pairs)]], values


def _say_masks(meaning: Meaning, values: Sequence[Values]) -> None:
    print(f'The masks hold {meaning.kind}. {len(meaning.classes)} classes:')
    total = sum(sum(each.pixels.values()) for each in values)
    for index, name in enumerate(meaning.classes):
        if not meaning.pixels[index]:
            continue
        share = 100 * meaning.pixels[index] / total
        colour = meaning.palette[index]
        print(f'    {index} {name}: {share:.2f} % of the pixels, colour {colour}')
    absent = meaning.pixels.count(0)
    if absent:
        print(f'{absent} of the classes occur nowhere.')
    rest = total - sum(meaning.pixels)
    if rest:
        print(f'{100 * rest / total:.2f} % of the pixels are ignored.')
    sets = [set(each.pixels) for each in values]
    odd = sum(each == {0, 255} for each in sets)
    if not meaning.coloured and meaning.ids is None and odd:
        print(
            f'Look at {odd} masks that hold only 0 and 255: 255 is ignored. If they '
            f'are black and white, write 1 for white.'
        )
    if meaning.from_one:
        print('Ids count from 1, so that 0 is ignored (reduce_zero_label=True).')


def _say_split(split: Split) -> None:
    numbers = ', '.join(f'{len(names)} {part}' for part, names in split.parts.items())
    print(f'Split: {numbers}; {split.how}.')
    if 'test' not in split.parts:
        print('There are no test images: the figures of test are those of val.')


def _table(meaning: Meaning) -> str:
    rows = zip(meaning.classes, meaning.palette, strict=True)
    return ''.join(f'{name},{r},{g},{b}\n' for name, (r, g, b) in rows)


def _say_config(own: Own, out: Path, data: Path) -> None:
    steps = own.iterations or iterations(own.number)
    start = 'weights learnt on ImageNet' if own.pretrained else 'random weights'
    height, width = crop_size(own.sizes)
    print(
        f'The model is DeepLabV3+ over MobileNetV2 with {start}; it trains {steps} '
        f'iterations of {batch_size(own.number)} crops of {height}x{width}.\n'
        f'Wrote {out}; its lists are in {data}. What comes next:\n'
        f'    python -m mmseg_jml check-dataset {out}\n'
        f'    python -m mmseg_jml train {out} --loss jml'
    )


def _some(names: Sequence[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more
