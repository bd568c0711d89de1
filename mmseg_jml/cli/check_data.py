"""The command `check-dataset`, which checks the datasets of a config."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
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

    from ..datasets.report import SplitReport

SPLITS = ('train', 'val', 'test')
SENTENCES_SHOWN = 5  # of each kind of problem; the saved report has all
IMAGES_SHOWN = 5
HEADER = ('class', 'pixels', 'per cent', 'images')


def check_data(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Check every split of a config; return 1 if there is a problem, else 0."""
    args = _parse(argv, prog)
    prepare_mmseg()
    path, cfg = load_config(args, needs=())
    from mmengine.registry import init_default_scope

    from ..models.binary import threshold_sentence
    from .loss_trial import loss_problems

    init_default_scope(cfg.get('default_scope') or 'mmseg')
    with errors_as_sentence():
        unfit = list(loss_problems(cfg))
        reports = _inspect(cfg, args.workers)
    out_dir = args.out_dir or Path('work_dirs') / 'check' / path.stem
    for report in reports:
        print(f'\n{_text(report, SENTENCES_SHOWN)}')
        _write(report, out_dir)
    print(end=threshold_sentence(cfg.get('model') or {}))
    print(f'\nReports, tables and images are in {out_dir}')
    for sentence in unfit:
        print(f'- BAD loss: {sentence}')
    bad = ['losses'] * bool(unfit)
    bad += [report.name for report in reports if report.problems]
    print(f'bad: {", ".join(bad)}' if bad else 'good')
    return int(bool(bad))


def _parse(argv: Sequence[str] | None, prog: str | None) -> argparse.Namespace:
    parser = Parser(
        prog=prog,
        description='Read every image and mask of a config and report problems.',
    )
    add_config_arguments(parser)
    parser.add_argument(
        '--out-dir',
        type=Path,
        help='the folder for the reports (default: work_dirs/check/<config>)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        help='the number of threads (default: one for each core, at most 8)',
    )
    return parser.parse_args(argv)


def _inspect(cfg: Config, workers: int | None) -> list[SplitReport]:
    """The report of each split; test is left out where it is the same as val."""
    from ..datasets.parallel import DEFAULT_WORKERS
    from ..datasets.report import inspect_split, mark_shared_images
    from .preflight import model_classes

    loaders = {split: cfg.get(f'{split}_dataloader') for split in SPLITS}
    datasets = {split: loader['dataset'] for split, loader in loaders.items() if loader}
    if not datasets:
        raise ValueError(
            'the config has no dataloader: none of '
            + ', '.join(f'`{split}_dataloader`' for split in SPLITS)
        )
    if datasets.get('test') == datasets.get('val'):
        datasets.pop('test', None)
    workers = DEFAULT_WORKERS if workers is None else workers
    reports = [
        inspect_split(split, dataset, num_classes=model_classes(cfg), workers=workers)
        for split, dataset in datasets.items()
    ]
    if 'train' in datasets:
        for report in reports[1:]:
            mark_shared_images(reports[0], report)
    return reports


def _text(report: SplitReport, most: int | None = None) -> str:
    """The report as Markdown, with at most `most` problems of each kind."""
    from ..datasets.report import ADVICE

    lines = [f'{report.name}: {len(report.paths)} images', '']
    if report.classes:
        lines += [table(HEADER, _rows(report), padded=True), '']
    for kind, sentences in report.by_kind().items():
        lines.append(f'- BAD {kind} ({len(sentences)}): {ADVICE[kind]}')
        lines += [f'    - {sentence}' for sentence in sentences[:most]]
        if most is not None and len(sentences) > most:
            lines.append(f'    - ... {len(sentences) - most} more')
    lines += [f'- note: {note}' for note in report.notes]
    return '\n'.join(lines)


def _rows(report: SplitReport) -> list[tuple[str, ...]]:
    return [
        (name, str(pixels), f'{100 * share:.3f}', str(images))
        for name, pixels, share, images in report.histogram()
    ]


def _write(report: SplitReport, out_dir: Path) -> None:
    """Save the report, its table, and a sheet of images with their labels."""
    from ..files import write_whole

    write_whole(out_dir / f'{report.name}.md', f'{_text(report)}\n'.encode())
    if report.classes:
        text = io.StringIO()
        csv.writer(text, lineterminator='\n').writerows([HEADER, *_rows(report)])
        write_whole(out_dir / f'{report.name}.csv', text.getvalue().encode())
    if report.sound:
        write_whole(out_dir / f'{report.name}.png', _sheet(report))


def _sheet(report: SplitReport) -> bytes:
    """A PNG file of some images, which are evenly spaced over the split."""
    from ..visualization import label_sheet

    step = -(-len(report.sound) // IMAGES_SHOWN)
    samples = [load() for load in report.sound[::step]]
    figure = label_sheet(
        [image for image, _ in samples],
        [label for _, label in samples],
        classes=report.classes,
        palette=report.palette,
        ignore_index=report.ignore_index,
    )
    buffer = io.BytesIO()
    figure.savefig(buffer)
    return buffer.getvalue()
