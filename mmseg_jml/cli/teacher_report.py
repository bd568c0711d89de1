"""The command `teacher-report`, which measures a model as a teacher."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..files import UnreadableError, require_writable, write_csv, write_whole
from ..markdown_table import table
from .calibrate import SPLITS
from .launch import (
    add_config_arguments,
    errors_as_sentence,
    load_config,
    prepare_mmseg,
)
from .origin import (
    default_folder,
    origin_of,
    require_same_origin,
    sentence_of,
    write_origin,
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
    """Measures of the soft label of one image, over its labelled pixels.

    They are missing for an image whose pixels are all ignored.
    """

    picture: str  # its path, relative to the root of the dataset
    pixels: int
    # The mean of the pixels, in nats.
    entropy: float | None = None
    # Classes whose largest probability is past the threshold, in per cent.
    active: float | None = None
    # Classes that the label has, in per cent.
    labelled: float | None = None


def run_teacher_report(
    argv: Sequence[str] | None = None, prog: str | None = None
) -> int:
    """Measure a model, and print and write the report."""
    args = _parser(prog).parse_args(argv)
    prepare_mmseg()
    path, cfg = load_config(args)
    from ..functional.checks import check_number
    from .options import require_file
    from .scaling_fit import prepare

    with errors_as_sentence():
        check_number('--threshold', args.threshold, 0, 1, open_high=True)
        require_file(args.checkpoint, '`checkpoint`')
        origin = origin_of(
            *('teacher-report', cfg, path, args.checkpoint, args.split),
            {'threshold': args.threshold},
            args.cfg_options,
        )
        folder = args.out or default_folder(
            'teacher', path, args.checkpoint, args.split
        )
        require_same_origin(folder, origin)
        require_writable(folder, '`--out`')
        task = prepare(cfg, args.checkpoint, args.split)
    with errors_as_sentence((UnreadableError,)):
        scores, rows = measure(task, args.threshold)
    with errors_as_sentence():
        figures = scores | averages(rows)
    title = f'{path.stem}, {Path(args.checkpoint).name}, {args.split} split'
    text = report(title, figures, rows, args.threshold)
    text += f'\n\n{sentence_of(origin)}'
    print(f'\n{text}')
    write_whole(folder / 'report.md', f'{text}\n'.encode())
    write_rows(folder / 'report.csv', figures, rows)
    write_origin(folder, origin)
    print(f'report: {folder / "report.md"}')
    return 0


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description='Measure a model as a teacher: how accurate and calibrated it is, '
        'and how soft its labels are.',
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='a path or URL')
    parser.add_argument(
        '--split',
        choices=SPLITS,
        default='val',
        help='the split to measure (default: val)',
    )
    parser.add_argument(
        '--threshold',
        type=float,
        default=0.01,
        help='the probability above which a class is active, as in JaccardMetricLoss '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='the folder for the report (default: work_dirs/<config>/teacher/'
        '<folder and name of the checkpoint>-<split>)',
    )
    return parser


def measure(task: Task, threshold: float) -> tuple[dict[str, float], list[Row]]:
    """Accuracy and calibration of all images, and a row for each image."""
    import torch
    from mmengine.registry import METRICS
    from mmengine.utils import track_iter_progress

    calibration = task.build_metric()
    ignored = calibration.ignore_index
    iou = METRICS.build({'type': 'IoUMetric', 'ignore_index': ignored})
    iou.dataset_meta = task.loader.dataset.metainfo
    rows, root = [], images_root(task.loader.dataset)
    for batch in track_iter_progress((task.loader, len(task.loader))):
        with torch.no_grad():
            samples = [each.to_dict() for each in task.model.test_step(batch)]
        for metric in (iou, calibration):
            metric.process({}, samples)
        rows += [image_row(sample, threshold, ignored, root) for sample in samples]
    scores = {'mIoU': iou.compute_metrics(iou.results)['mIoU']}
    found = calibration.compute_metrics(calibration.results)
    for name, region in (('ECE', 'all'), ('BECE', 'boundary')):
        key = calibration.keys('ECE', region)
        if key in found:  # labels may have no boundary
            scores[name] = found[key]
    return scores, rows


def images_root(dataset: Any) -> Path | None:
    """The folder that contains all images of a dataset, or None if there is none.

    For a single dataset it is the `data_root`, or else the folder of the images.
    """
    from ..datasets.check import leaf_datasets

    roots = [
        leaf.data_root or leaf.data_prefix.get('img_path')
        for leaf in leaf_datasets(dataset)
    ]
    if not all(roots) or any('://' in root for root in roots):
        return None
    return Path(os.path.commonpath([os.path.abspath(root) for root in roots]))


def image_row(
    sample: dict, threshold: float, ignore_index: int = 255, root: Path | None = None
) -> Row:
    """Measures of the soft label of a data sample."""
    from ..evaluation.pictures import read_logits, read_picture
    from ..functional.uncertainty import class_probs, entropy_map

    probs = class_probs(read_logits(sample, {})[0])
    picture = read_picture(sample)
    label = picture.label[0].to(probs.device)
    valid = label != ignore_index
    pixels = int(valid.sum())
    name = _relative(picture.name, root)
    if not pixels:
        return Row(name, 0)
    largest = (probs * valid).amax((1, 2))
    return Row(
        name,
        pixels,
        (entropy_map(probs) * valid).sum(dtype=float).item() / pixels,
        100 * (largest > threshold).double().mean().item(),
        100 * len(label[valid].unique()) / len(probs),
    )


def _relative(name: str, root: Path | None) -> str:
    path = Path(os.path.abspath(name))
    if root is None or '://' in name or not path.is_relative_to(root):
        return name
    return path.relative_to(root).as_posix()


def averages(rows: Sequence[Row]) -> dict[str, float]:
    """The mean entropy over all pixels, and the mean shares over the images.

    Raises:
        ValueError: All pixels of all images are ignored.
    """
    counted = [row for row in rows if row.pixels]
    if not counted:
        raise ValueError(
            'all pixels of all images are ignored, so there is nothing to measure'
        )
    pixels = sum(row.pixels for row in counted)
    return {
        'entropy': sum(row.entropy * row.pixels for row in counted) / pixels,
        'active': sum(row.active for row in counted) / len(counted),
        'labelled': sum(row.labelled for row in counted) / len(counted),
    }


def report(
    title: str, figures: dict[str, float], rows: Sequence[Row], threshold: float
) -> str:
    """The report as Markdown."""
    head = [f'{name} ({UNITS[name]})' for name in figures]
    cells = [
        f'{value:.4f}' if name == 'entropy' else f'{value:.2f}'
        for name, value in figures.items()
    ]
    number = sum(row.pixels > 0 for row in rows)
    void = len(rows) - number
    left_out = (
        f' Another {void} have no labelled pixel and are left out.' if void else ''
    )
    return '\n'.join(
        [
            f'# Teacher: {title}\n',
            f'{table(head, [cells])}\n',
            f'The report covers {number} images.{left_out} Entropy is the mean over '
            'all labelled pixels. A class is active in an image if its largest '
            f'probability there is above {threshold:g}, and labelled if it is in the '
            'label; both shares are means over the images.',
        ]
    )


def write_rows(path: Path, figures: dict[str, float], rows: Sequence[Row]) -> None:
    """Write a CSV file with a row for all images and one for each image."""
    head = ['picture', 'pixels', *UNITS]
    pixels = sum(row.pixels for row in rows)
    found = [{'picture': 'all', 'pixels': pixels, **figures}]
    found += [row._asdict() for row in rows]
    write_csv(path, [head, *(_cells(row, head) for row in found)])


def _cells(row: dict[str, Any], head: Sequence[str]) -> list[Any]:
    """The values of a row, with empty cells for missing ones."""
    values = [row.get(name) for name in head]
    return ['' if value is None else value for value in values]
