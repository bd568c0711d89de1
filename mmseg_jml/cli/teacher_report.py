"""Measure a model as a teacher: what `tools/teacher_report.py` runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..files import UnreadableError, write_csv, write_whole
from ..markdown_table import table
from .calibrate import SPLITS
from .launch import (
    add_config_arguments,
    errors_as_sentence,
    load_config,
    prepare_mmseg,
)
from .parser import Parser

if TYPE_CHECKING:
    from .scaling_fit import Task

UNITS = {
    'mIoU': '%',
    'ECE': '%',
    'BECE': '%',
    'entropy': 'nats',
    'active': '% of classes',
    'labelled': '% of classes',
}


class Row(NamedTuple):
    """The soft label of one picture, over its labelled pixels."""

    picture: str
    pixels: int
    entropy: float  # the pixels' mean, in nats
    active: (
        float  # classes whose largest probability is past the threshold, in per cent
    )
    labelled: float  # classes that the label has, in per cent


def run_teacher_report(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> int:
    """Measure, print and write as the command line `argv` says."""
    args = _parser(prog).parse_args(argv)
    prepare_mmseg()
    path, cfg = load_config(args)
    from ..functional.checks import check_number
    from .options import require_file
    from .scaling_fit import prepare

    with errors_as_sentence():
        check_number('--threshold', args.threshold, 0, 1, open_high=True)
        require_file(args.checkpoint, '`checkpoint`')
        task = prepare(cfg, args.checkpoint, args.split)
    with errors_as_sentence((UnreadableError,)):
        scores, rows = measure(task, args.threshold)
    figures = scores | averages(rows)
    folder = args.out or Path('work_dirs') / path.stem / 'teacher'
    title = f'{path.stem}, {Path(args.checkpoint).name}, {args.split} split'
    text = report(title, figures, len(rows), args.threshold)
    print(f'\n{text}')
    write_whole(folder / 'report.md', f'{text}\n'.encode())
    write_rows(folder / 'report.csv', figures, rows)
    print(f'report: {folder / "report.md"}')
    return 0


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description='Measure a model as a teacher: accuracy, calibration, and how soft '
        'its labels are.',
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='a file or an address')
    parser.add_argument(
        '--split', choices=SPLITS, default='val', help='default: %(default)s'
    )
    parser.add_argument(
        '--threshold',
        type=float,
        default=0.01,
        help='of an active class, as in JaccardMetricLoss (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='folder of the report (default: work_dirs/<name of config>/teacher)',
    )
    return parser


def measure(task: Task, threshold: float) -> tuple[dict[str, float], list[Row]]:
    """Accuracy and calibration of all pictures, and a row for each, in one pass."""
    import torch
    from mmengine.registry import METRICS
    from mmengine.utils import track_iter_progress

    calibration = task.build_metric()
    ignored = calibration.ignore_index
    iou = METRICS.build({'type': 'IoUMetric', 'ignore_index': ignored})
    iou.dataset_meta = task.loader.dataset.metainfo
    rows = []
    for batch in track_iter_progress((task.loader, len(task.loader))):
        with torch.no_grad():
            samples = [each.to_dict() for each in task.model.test_step(batch)]
        for metric in (iou, calibration):
            metric.process({}, samples)
        rows += [picture_row(sample, threshold, ignored) for sample in samples]
    scores = {'mIoU': iou.compute_metrics(iou.results)['mIoU']}
    found = calibration.compute_metrics(calibration.results)
    for name, region in (('ECE', 'all'), ('BECE', 'boundary')):
        key = calibration.keys('ECE', region)
        if key in found:  # labels may have no boundary
            scores[name] = found[key]
    return scores, rows


def picture_row(sample: dict, threshold: float, ignore_index: int = 255) -> Row:
    """What the soft label of a data sample is like."""
    from ..evaluation.pictures import read_logits, read_picture
    from ..functional.uncertainty import class_probs, entropy_map

    probs = class_probs(read_logits(sample, {})[0])
    picture = read_picture(sample)
    label = picture.label[0].to(probs.device)
    valid = label != ignore_index
    pixels = int(valid.sum())
    largest = (probs * valid).amax((1, 2))
    return Row(
        Path(picture.name).name,
        pixels,
        (entropy_map(probs) * valid).sum(dtype=float).item() / max(pixels, 1),
        100 * (largest > threshold).double().mean().item(),
        100 * len(label[valid].unique()) / len(probs),
    )


def averages(rows: Sequence[Row]) -> dict[str, float]:
    """The mean entropy of all pixels, and of the shares over the pictures."""
    pixels = max(sum(row.pixels for row in rows), 1)
    return {
        'entropy': sum(row.entropy * row.pixels for row in rows) / pixels,
        'active': sum(row.active for row in rows) / len(rows),
        'labelled': sum(row.labelled for row in rows) / len(rows),
    }


def report(title: str, figures: dict[str, float], number: int, threshold: float) -> str:
    """The figures as Markdown."""
    head = [f'{name} ({UNITS[name]})' for name in figures]
    cells = [
        f'{value:.4f}' if name == 'entropy' else f'{value:.2f}'
        for name, value in figures.items()
    ]
    return '\n'.join(
        [
            f'# Teacher: {title}\n',
            f'{table(head, [cells])}\n',
            f'Of {number} pictures. Entropy: the mean of all labelled pixels. Active: '
            f'classes whose largest probability in a picture is past {threshold:g}; '
            'labelled: classes that its label has; both are means over pictures.',
        ]
    )


def write_rows(path: Path, figures: dict[str, float], rows: Sequence[Row]) -> None:
    """A CSV file: a row for all pictures, and one for each."""
    head = ['picture', 'pixels', *UNITS]
    pixels = sum(row.pixels for row in rows)
    found = [{'picture': 'all', 'pixels': pixels, **figures}]
    found += [row._asdict() for row in rows]
    write_csv(path, [head, *([row.get(name, '') for name in head] for row in found)])
