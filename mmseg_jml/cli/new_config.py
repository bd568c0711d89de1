"""Write a config for a folder of images and masks: `python -m mmseg_jml new-config`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import require_writable, write_csv, write_whole
from ..suggestion import did_you_mean
from .config_text import Own, config_text
from .launch import errors_as_sentence, prepare_mmseg
from .own_files import Rater, absolute, id_masks, sources
from .own_report import (
    SHOWN,
    say_bands,
    say_config,
    say_masks,
    say_pairs,
    say_split,
)
from .parser import Parser

if TYPE_CHECKING:
    from ..datasets.folder import Pair
    from ..datasets.mask_values import Values

SPLITS = ('train', 'val', 'test')


def new_config(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Look at a folder, describe it and write a config; return the exit status."""
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
        'they contain, and write a config that trains on them. Masks that hold '
        'colours, grey levels, or 0 and 255 are converted to class ids in a new '
        'folder; the original files are not changed.',
    )
    parser.add_argument(
        'images', type=Path, metavar='IMAGES', help='the folder of the images'
    )
    parser.add_argument(
        'masks',
        type=Path,
        metavar='MASKS',
        help='the folder of the masks; it may have a subfolder for each annotator',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('my_config.py'),
        help='the config to write (default: %(default)s); lists and converted masks '
        'are written to a folder next to it, such as my_config_data',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='the names of the classes in the order of their ids, or a file with one '
        'class on each line; for coloured masks each line is name,r,g,b',
    )
    parser.add_argument(
        '--ignore',
        nargs='+',
        default=[],
        metavar='NAME',
        help='classes whose pixels are ignored in training and evaluation',
    )
    parser.add_argument(
        '--lists', type=Path, help='the folder of train.txt, val.txt and test.txt'
    )
    parser.add_argument(
        '--groups',
        metavar='RULE',
        help='keep the images of a group together in a random split. RULE is `folder` '
        'for the subfolder of an image, or a regular expression that matches the '
        "beginning of its name, for example 'patient[0-9]+'",
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='the seed of a random split'
    )
    parser.add_argument(
        '--rater', metavar='NAME', help='use only the masks of this annotator'
    )
    parser.add_argument(
        '--threshold',
        type=int,
        metavar='N',
        help='for masks that are only approximately black and white, such as JPEG '
        'files: treat values of at least N, for example 128, as white',
    )
    parser.add_argument(
        '--image-suffix', help='how the names of the images end, for example _sat.jpg'
    )
    parser.add_argument(
        '--mask-suffix', help='how the names of the masks end, for example _mask.png'
    )
    parser.add_argument(
        '--one-channel',
        action='store_true',
        help='for two classes: use one output channel with a sigmoid instead of two '
        'with a softmax',
    )
    parser.add_argument(
        '--pretrained',
        action='store_true',
        help='start with weights trained on ImageNet, which are downloaded once',
    )
    parser.add_argument(
        '--iterations',
        type=int,
        help='the length of the training run (default: chosen by the number of images)',
    )
    parser.add_argument(
        '--force',
        action='store_true',
        help='replace an existing config and its lists and masks',
    )
    parser.add_argument(
        '--workers', type=int, help='the number of threads that read files'
    )
    return parser


def _run(args: argparse.Namespace, command: str) -> None:
    from ..datasets.division import choose_split
    from ..datasets.mask_meaning import explain, read_classes

    data = args.out.with_name(f'{args.out.stem}_data')
    _refuse(args, data)
    raters = _raters(args)
    names = sorted({pair.name for rater in raters for pair in rater.pairs})
    sizes, values = _look(raters, args)
    given = read_classes(args.classes) if args.classes else None
    meaning = explain(values, given=given, ignore=args.ignore)
    meaning = meaning._replace(threshold=args.threshold)
    say_masks(meaning, values)
    say_bands(raters[0].pairs[0])
    if args.one_channel and len(meaning.classes) != 2:
        raise ValueError(
            f'`--one-channel` is for two classes, but there are {len(meaning.classes)}'
        )
    split = choose_split(
        names, args.images, lists=args.lists, groups=args.groups, seed=args.seed
    )
    say_split(split)
    rows = zip(meaning.classes, meaning.palette, strict=True)
    write_csv(data / 'classes.csv', [(name, *colour) for name, colour in rows])
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
    say_config(own, args.out, data)


def _refuse(args: argparse.Namespace, data: Path) -> None:
    """Raise for errors that can be found before any file is read."""
    if args.iterations is not None and args.iterations < 2:
        raise ValueError(f'`--iterations` must be at least 2, got {args.iterations}')
    if args.out.suffix != '.py':
        raise ValueError(f'`--out` must be a Python file, *.py, got {args.out}')
    if args.out.exists() and not args.force:
        raise FileExistsError(
            f'{args.out} already exists: choose another `--out`, or replace it with '
            '`--force`'
        )
    for folder in (args.images, args.masks):
        if not folder.is_dir():
            raise NotADirectoryError(f'there is no folder {folder}')
        if data.resolve().is_relative_to(folder.resolve()):
            raise ValueError(
                f'`--out` must not be in {folder}, because {data} would then be among '
                'the images; choose another folder'
            )
    require_writable(data, '`--out`')


def _raters(args: argparse.Namespace) -> list[Rater]:
    """The pairs of each annotator. This prints what was found."""
    from ..datasets.folder import find_pairs, find_raters

    suffixes = {'image_suffix': args.image_suffix, 'mask_suffix': args.mask_suffix}
    names = find_raters(args.images, args.masks)
    if args.rater is not None and args.rater not in names:
        raise ValueError(
            f'`--rater` must be a subfolder of {args.masks} with masks of the images: '
            f'{", ".join(names) or "there are none"}; got {args.rater!r}'
            f'{did_you_mean(args.rater, names)}'
        )
    if not names:
        found = find_pairs(args.images, args.masks, **suffixes)
        say_pairs(found, args)
        return [Rater('', found.pairs)]
    if args.rater:
        names = [args.rater]
    else:
        print(
            f'{len(names)} annotators have masks: {", ".join(names)}. Training uses '
            f'the masks of all; validation and test use those of {names[0]}. '
            'Add `--rater NAME` to use only the masks of one.'
        )
    raters = []
    for name in names:
        found = find_pairs(args.images, args.masks / name, **suffixes)
        say_pairs(found, args, name)
        raters.append(Rater(name, found.pairs))
    return raters


def _look(
    raters: Sequence[Rater], args: argparse.Namespace
) -> tuple[list[tuple[int, int]], list[Values]]:
    """The sizes of the images, and the values in the masks.

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
        print('Some masks contain colours and some numbers: all are read as colours.')
    wrong = [each for each in found if isinstance(each, str)]
    if wrong:
        shown = ''.join(f'\n    {each}' for each in wrong[:SHOWN])
        raise ValueError(
            f'{len(wrong)} of {len(pairs)} pairs cannot be used; fix or remove '
            f'them:{shown}'
        )
    values = [each for each in found if not isinstance(each, str)]
    return [each.shape for each in values[: len(raters[0].pairs)]], values
