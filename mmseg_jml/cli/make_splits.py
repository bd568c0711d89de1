"""The command `make-splits`, which writes lists of images.

They are either the labelled and unlabelled images for semi-supervised training, or the
training and validation images of each fold for cross-validation.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ..markdown_table import table
from .launch import (
    add_config_arguments,
    errors_as_sentence,
    load_config,
    prepare_mmseg,
)
from .parser import Parser

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.dataset import BaseDataset

    from ..datasets.splits import Counted

Lists = dict[str, list[str]]  # the names of the images by the list's path

FRACTIONS = ('1/2', '1/4', '1/8', '1/16')


def make_splits(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Split the training images of a config; return the exit status."""
    args = _parse(argv, prog)
    prepare_mmseg()
    _, cfg = load_config(args, needs=())
    from mmengine.registry import init_default_scope

    init_default_scope(cfg.get('default_scope') or 'mmseg')
    with errors_as_sentence():
        _run(cfg, args)
    return 0


def _parse(argv: Sequence[str] | None, prog: str | None) -> argparse.Namespace:
    parser = Parser(
        prog=prog,
        description='Choose which training images of a config keep their labels. This '
        'writes OUT_DIR/1_8/labelled.txt, OUT_DIR/1_8/unlabelled.txt and so on; the '
        'labelled images of a fraction are also labelled in every larger one. With '
        '--folds, split the images for cross-validation instead, into '
        'OUT_DIR/fold0_train.txt, OUT_DIR/fold0_val.txt and so on.',
    )
    add_config_arguments(parser)
    parser.add_argument(
        '--fractions',
        nargs='+',
        default=FRACTIONS,
        metavar='1/N',
        help='the labelled fractions (default: all)',
    )
    parser.add_argument(
        '--folds',
        type=int,
        metavar='K',
        help='write the lists of K folds; each image is in the validation list of one',
    )
    parser.add_argument(
        '--groups',
        metavar='RULE',
        help='keep the images of a group together; RULE is `folder` for the subfolder '
        'of an image, or a regular expression that matches the beginning of its name, '
        "for example 'patient[0-9]+'",
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='the seed of the random choice (default: 0)'
    )
    parser.add_argument(
        '--class-balanced',
        action='store_true',
        help="choose images that keep each class's share of the pixels, if possible",
    )
    parser.add_argument(
        '--out-dir',
        type=Path,
        help='the folder for the lists (default: splits or folds in the `data_root` of '
        'the dataset)',
    )
    parser.add_argument(
        '--force',
        action='store_true',
        help='overwrite existing lists with other images',
    )
    parser.add_argument(
        '--workers',
        type=int,
        help='the number of threads (default: one for each core, at most 8)',
    )
    return parser.parse_args(argv)


def _run(cfg: Config, args: argparse.Namespace) -> None:
    from ..datasets.groups import groups_of
    from ..datasets.parallel import DEFAULT_WORKERS
    from ..datasets.splits import count_pictures, split_sizes
    from ..files import write_whole

    dataset = training_set(cfg)
    fractions = [_fraction(text) for text in args.fractions]
    if args.folds is None:  # refused before the masks are read
        split_sizes(len(dataset), fractions)
    workers = DEFAULT_WORKERS if args.workers is None else args.workers
    counted = count_pictures(dataset, workers=workers)
    groups = groups_of(counted.ids, args.groups) if args.groups else counted.ids
    out_dir = args.out_dir or Path(dataset.data_root or '.') / (
        'splits' if args.folds is None else 'folds'
    )
    if args.folds is None:
        lists, text = _fractions(counted, groups, fractions, args)
    else:
        lists, text = _folds(counted, groups, args)
    _write({out_dir / name: ids for name, ids in lists.items()}, args.force)
    name = 'splits.md' if args.folds is None else 'folds.md'
    write_whole(out_dir / name, text.encode())
    print(f'{text}\nThe lists are in {out_dir}')


def _fractions(
    counted: Counted,
    groups: Sequence[str],
    fractions: Sequence[Fraction],
    args: argparse.Namespace,
) -> tuple[Lists, str]:
    """The labelled and unlabelled images of each fraction, and a report."""
    from ..datasets.listing import SPLIT_LISTS
    from ..datasets.splits import grouped_order, split_sizes

    wanted = split_sizes(len(counted.ids), fractions)
    order, ends = grouped_order(
        counted.pixels,
        groups,
        seed=args.seed,
        class_balanced=args.class_balanced,
        most=max(wanted.values()),
    )
    # Whole groups, until there are as many images as the fraction asks for.
    sizes = {f: int(ends[ends >= size][0]) for f, size in wanted.items()}
    whole = [str(fraction) for fraction, size in sizes.items() if size == len(order)]
    if whole:
        raise ValueError(
            '`--groups` must leave at least one group without labels, but the fraction '
            f'{", ".join(whole)} needs all {len(ends)} groups'
        )
    ids = [counted.ids[index] for index in order]
    lists = {
        f'{_folder(f)}/{name}': part
        for f, n in sizes.items()
        for name, part in zip(SPLIT_LISTS, (ids[:n], ids[n:]), strict=True)
    }
    kind = 'class-balanced' if args.class_balanced else 'random'
    parts = {str(f): order[:n] for f, n in sizes.items()}
    table = _table(counted, {'all': order, **parts}, 'labelled images')
    return lists, f'Seed {args.seed}, {kind}{_rule(args, groups)}\n\n{table}'


def _folds(
    counted: Counted, groups: Sequence[str], args: argparse.Namespace
) -> tuple[Lists, str]:
    """The training and validation images of each fold, and a report."""
    from ..datasets.groups import deal

    if args.folds < 2:
        raise ValueError(f'`--folds` must be at least 2, got {args.folds}')
    if args.class_balanced:
        raise ValueError(
            '`--class-balanced` works with `--fractions`, not with `--folds`'
        )
    parts = deal(groups, [1] * args.folds, seed=args.seed)
    lists: Lists = {}
    for fold, part in enumerate(parts):
        held = set(part)
        lists[f'fold{fold}_val.txt'] = [counted.ids[i] for i in part]
        lists[f'fold{fold}_train.txt'] = [
            name for i, name in enumerate(counted.ids) if i not in held
        ]
    everything = list(range(len(counted.ids)))
    columns = {f'fold {fold}': part for fold, part in enumerate(parts)}
    table = _table(counted, {'all': everything, **columns}, 'validation images')
    return (
        lists,
        f'Seed {args.seed}, {args.folds} folds{_rule(args, groups)}\n\n{table}',
    )


def _write(lists: dict[Path, list[str]], force: bool) -> None:
    """Write sorted lists; write none if one of them exists with other images."""
    from ..datasets.convert import write_list

    for path, ids in lists.items():
        if force or not path.exists():
            continue
        if path.read_text('utf-8').split('\n') != [*sorted(ids), '']:
            raise FileExistsError(
                f'nothing was written: {path} exists with other images, perhaps from '
                'another seed. Choose another `--out-dir`, or overwrite it with '
                '`--force`'
            )
    for path, ids in lists.items():
        write_list(path, sorted(ids))


def _rule(args: argparse.Namespace, groups: Sequence[str]) -> str:
    if not args.groups:
        return ''
    return f', {len(set(groups))} groups by `{args.groups}`, each kept together'


def training_set(cfg: Config) -> BaseDataset:
    """The only dataset that a config trains on, with its images listed.

    Raises:
        ValueError: There is no dataset, there are several, or it has no images.
    """
    from ..datasets.check import leaf_datasets
    from ..datasets.listing import listing_trouble

    if not cfg.get('train_dataloader'):
        raise ValueError('the config has no `train_dataloader`')
    leaves = list(leaf_datasets(cfg.train_dataloader.dataset))
    if len(leaves) != 1:
        raise ValueError(
            f'make-splits can split one dataset, but the config trains on '
            f'{len(leaves)}. Use the config of the fully supervised training run'
        )
    trouble = listing_trouble(leaves[0])
    if trouble:
        raise ValueError(trouble)
    return leaves[0]


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f'`--fractions` must be of the form 1/8, got {text!r}'
        ) from None


def _folder(fraction: Fraction) -> str:
    return f'{fraction.numerator}_{fraction.denominator}'


def _table(counted: Counted, columns: dict[str, Sequence[int]], number: str) -> str:
    """The number of images in each column, and the share of pixels of each class."""
    totals = [counted.pixels[list(chosen)].sum(0) for chosen in columns.values()]
    rows = []
    for index, name in enumerate(counted.classes):
        shares = [100 * total[index] / max(1, total.sum()) for total in totals]
        rows.append([name, *(f'{share:.3f}' for share in shares)])
    rows.append([number, *(str(len(chosen)) for chosen in columns.values())])
    return f'{table(["class, % of pixels", *columns], rows, padded=True)}\n'
