"""The command `predict`, for images without labels."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import UnreadableError, require_writable, sha256_of
from .launch import (
    add_config_arguments,
    errors_as_sentence,
    load_config,
    prepare_mmseg,
)
from .parser import Parser
from .prediction.images import LIST, Images, check_outputs, find_images
from .prediction.index import Index

if TYPE_CHECKING:
    from mmengine.config import Config

    from .prediction.job import Job
    from .prediction.output import Output
    from .prediction.tiles import Tiling

FORMATS = ('png', 'npz', 'tif')


def run_prediction(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Predict images; return 1 if one of them was not predicted."""
    args = _parser(prog).parse_args(argv)
    prepare_mmseg()
    _, cfg = load_config(args)
    from ..models.binary import threshold_sentence
    from .options import require_file
    from .prediction.georeference import require_rasterio
    from .prediction.output import Output

    output = Output(args.out, args.format, args.overlay)
    with errors_as_sentence():
        require_file(args.checkpoint, '`checkpoint`')
        tiling = parse_tiling(args.tile, args.overlap)
        if args.format == 'tif':
            require_rasterio()
        images = find_images(args.images, args.out)
        check_outputs(images, [(name, output.files(name)) for name in images.names])
        index = Index(args.out, made_by(cfg, args.checkpoint, args.format, tiling))
        steps = unlabelled_pipeline(cfg)
        require_writable(args.out, '`--out`')
    todo = [name for name in images.names if not is_done(name, images, output, index)]
    failed = dict(images.left_out)
    if todo:
        with errors_as_sentence((UnreadableError,)):
            job = prepare(cfg, args.checkpoint, steps, tiling, output)
        with errors_as_sentence((OSError,)):
            failed |= job.run(images, todo, index)
    print(end=threshold_sentence(cfg.get('model') or {}))
    return report(images, len(todo), failed, args.out)


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description='Predict images without labels: write the predicted class of each '
        'pixel, its confidence and the entropy.',
        epilog='After an interruption, run the same command again. Images that are '
        'already predicted are skipped, unless the image has changed.',
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='a path or URL')
    parser.add_argument(
        'images',
        type=Path,
        metavar='IMAGES',
        help=f'an image, a list of images ({LIST} with one path on each line), or a '
        'folder of images, which may have subfolders',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('predictions'),
        help='the folder for the results (default: %(default)s)',
    )
    parser.add_argument(
        '--format',
        choices=FORMATS,
        default='png',
        help='png writes class ids in the colours of the classes, and confidence and '
        'entropy / log C as 16-bit grey, where 65535 stands for 1. npz writes arrays, '
        'with the entropy in nats. tif writes the same values as GeoTIFFs with the '
        'georeference of the image, and needs rasterio. (default: %(default)s)',
    )
    parser.add_argument(
        '--overlay',
        action='store_true',
        help='also save each image with the predicted classes and a legend',
    )
    parser.add_argument(
        '--tile',
        type=int,
        metavar='SIZE',
        help='split images that are larger than SIZE pixels into square tiles of that '
        'size, which needs less memory',
    )
    parser.add_argument(
        '--overlap',
        type=int,
        metavar='PIXELS',
        help='how many pixels neighbouring tiles share; their scores are blended there '
        '(default: a quarter of SIZE)',
    )
    return parser


def parse_tiling(size: int | None, overlap: int | None) -> Tiling | None:
    """The tiles that `--tile` and `--overlap` ask for.

    Raises:
        ValueError: The size or the overlap of the tiles is out of range.
    """
    from .prediction.tiles import Tiling

    if size is None:
        if overlap is not None:
            raise ValueError('`--overlap` needs `--tile`')
        return None
    if size < 1:
        raise ValueError(f'`--tile` must be at least 1, got {size}')
    if overlap is None:
        overlap = size // 4
    if not 0 <= overlap < size:
        raise ValueError(
            f'`--overlap` must be from 0 to less than `--tile` {size}, got {overlap}'
        )
    return Tiling(size, overlap)


def made_by(
    cfg: Config, checkpoint: str, file_format: str, tiling: Tiling | None
) -> dict[str, Any]:
    """Everything that all predictions in a folder depend on, so that none are mixed."""
    described = json.dumps(
        {'model': cfg.model.to_dict(), 'pipeline': unlabelled_pipeline(cfg)},
        default=str,
        sort_keys=True,
    )
    is_file = Path(checkpoint).is_file()
    return {
        'config': hashlib.sha256(described.encode()).hexdigest(),
        'checkpoint': sha256_of(checkpoint) if is_file else checkpoint,
        'format': file_format,
        'tiling': None if tiling is None else list(tiling),
    }


def unlabelled_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """The test pipeline of the config without the steps that read labels.

    Raises:
        ValueError: The config has no test pipeline.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while dataset.get('pipeline') is None:
        inner = dataset.get('dataset') or next(iter(dataset.get('datasets') or ()), {})
        if not inner:
            break
        dataset = inner
    steps = dataset.get('pipeline') or cfg.get('test_pipeline')
    if not steps:
        raise ValueError('the config has no `test_dataloader.dataset.pipeline`')
    return [dict(step) for step in steps if 'Annotation' not in str(step['type'])]


def is_done(name: Path, images: Images, output: Output, index: Index) -> bool:
    """Whether all files of an image exist and were made from its current content."""
    if not all(path.is_file() for path in output.files(name)):
        return False
    return index.is_current(name, images.root / name)


def prepare(
    cfg: Config,
    checkpoint: str,
    steps: list[dict[str, Any]],
    tiling: Tiling | None,
    output: Output,
) -> Job:
    """Build the model and the pipeline.

    Raises:
        CheckpointError: The checkpoint cannot be used.
    """
    from mmengine.dataset import Compose

    from ..datasets.reading import Reader
    from .loading import load_model
    from .prediction.job import Job

    model = load_model(cfg, checkpoint)
    return Job(model, Compose(steps), Reader(steps), tiling, output)


def report(images: Images, todo: int, failed: dict[Path, str], out: Path) -> int:
    """Print what was predicted and what was not; return the exit status."""
    for note in images.notes:
        print(f'note: {note}', file=sys.stderr)
    for name, reason in failed.items():
        print(
            f'error: {images.root / name} was not predicted: {reason}', file=sys.stderr
        )
    tried = len(failed) - len(images.left_out)
    print(
        f'{out}: {todo - tried} predicted, {len(images.names) - todo} done before, '
        f'{len(failed)} not predicted'
    )
    return int(bool(failed))
