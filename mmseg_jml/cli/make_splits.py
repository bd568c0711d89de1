"""Write the lists of a semi-supervised training: what `tools/make_splits.py` runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from .launch import (
    add_config_arguments,
    errors_as_sentence,
    load_config,
    prepare_mmseg,
)

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.dataset import BaseDataset

    from ..datasets.splits import Counted

FRACTIONS = ('1/2', '1/4', '1/8', '1/16')


def make_splits(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Split a config's training pictures; the exit status."""
    prepare_mmseg()
    args = _parse(argv, prog)
    _, cfg = load_config(args, needs=())
    from mmengine.registry import init_default_scope

    init_default_scope(cfg.get('default_scope') or 'mmseg')
    with errors_as_sentence():
        _run(cfg, args)
    return 0


def _parse(argv: Sequence[str] | None, prog: str | None) -> argparse.Namespace:
    from ..datasets.parallel import DEFAULT_WORKERS

    parser = argparse.ArgumentParser(
        prog=prog,
        description='Choose which training pictures of a config keep their labels: '
        'OUT_DIR/1_8/labelled.txt and unlabelled.txt, and so on, each fraction within '
        'the larger ones.',
    )
    add_config_arguments(parser)
    parser.add_argument(
        '--fractions', nargs='+', default=FRACTIONS, metavar='1/N', help='default: all'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--class-balanced',
        action='store_true',
        help="keep the classes' shares of the pixels, as far as that can be",
    )
    parser.add_argument(
        '--out-dir', type=Path, help='default: splits in the data set (`data_root`)'
    )
    parser.add_argument(
        '--force', action='store_true', help='overwrite lists that differ'
    )
    parser.add_argument('--workers', type=int, default=DEFAULT_WORKERS)
    return parser.parse_args(argv)


def _run(cfg: Config, args: argparse.Namespace) -> None:
    from ..datasets.splits import (
        count_pictures,
        differing_lists,
        split_order,
        split_sizes,
        write_split,
    )
    from ..files import write_whole

    dataset = training_set(cfg)
    fractions = [_fraction(text) for text in args.fractions]
    sizes = split_sizes(len(dataset), fractions)
    counted = count_pictures(dataset, workers=args.workers)
    order = split_order(
        counted.pixels,
        seed=args.seed,
        class_balanced=args.class_balanced,
        most=max(sizes.values()),
    )
    out_dir = args.out_dir or Path(dataset.data_root or '.') / 'splits'
    ids = [counted.ids[index] for index in order]
    splits = {out_dir / _folder(f): (ids[:n], ids[n:]) for f, n in sizes.items()}
    differing = [
        path for f, lists in splits.items() for path in differing_lists(f, *lists)
    ]
    if differing and not args.force:
        raise FileExistsError(
            f'nothing written: {differing[0]} is there with other pictures, as made '
            f'with another seed; choose another --out-dir, or overwrite with --force'
        )
    for folder, lists in splits.items():
        write_split(folder, *lists)
    text = _report(counted, order, sizes, args)
    write_whole(out_dir / 'splits.md', text.encode())
    print(f'{text}\nThe lists are in {out_dir}')


def training_set(cfg: Config) -> BaseDataset:
    """The one data set that a config trains on, its pictures listed.

    Raises:
        ValueError: There is none, several, or it has no pictures.
    """
    from ..datasets.check import leaf_datasets, listing_trouble

    if not cfg.get('train_dataloader'):
        raise ValueError('the config has no `train_dataloader`')
    leaves = list(leaf_datasets(cfg.train_dataloader.dataset))
    if len(leaves) != 1:
        raise ValueError(
            f'one data set can be split, the config trains on {len(leaves)}: give the '
            f'config of the fully labelled training'
        )
    trouble = listing_trouble(leaves[0])
    if trouble:
        raise ValueError(trouble)
    return leaves[0]


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f'`--fractions` must be as 1/8, got {text!r}') from None


def _folder(fraction: Fraction) -> str:
    return f'{fraction.numerator}_{fraction.denominator}'


def _report(
    counted: Counted,
    order: Sequence[int],
    sizes: dict[Fraction, int],
    args: argparse.Namespace,
) -> str:
    """How many pictures each split labels, and the classes' shares of its pixels."""
    numbers = [len(order), *sizes.values()]
    totals = [counted.pixels[order[:number]].sum(0) for number in numbers]
    kind = 'class-balanced' if args.class_balanced else 'random'
    head = ['class, % of pixels', 'all', *map(str, sizes)]
    rows = [head, ['---', *['--:'] * len(numbers)]]
    for index, name in enumerate(counted.classes):
        shares = [100 * total[index] / max(1, total.sum()) for total in totals]
        rows.append([name, *(f'{share:.3f}' for share in shares)])
    rows.append(['labelled pictures', *map(str, numbers)])
    table = ''.join(f'| {" | ".join(row)} |\n' for row in rows)
    return f'Seed {args.seed}, {kind}\n\n{table}'
