"""Predict pictures without labels: what `tools/predict.py` runs."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..files import UnreadableError, whole_file
from .launch import (
    add_config_arguments,
    errors_as_sentence,
    load_config,
    prepare_mmseg,
)
from .parser import Parser

if TYPE_CHECKING:
    from mmengine.config import Config

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
FORMATS = ('png', 'npz')
MAPS = ('prediction', 'confidence', 'entropy')
ORIGIN = 'made_by.json'
SIXTEEN_BITS = 65535


class Maps(NamedTuple):
    """What is predicted of one picture, each (H, W)."""

    prediction: np.ndarray  # class ids, uint8 where they fit, else uint16
    confidence: np.ndarray  # float32, the probability of the predicted class
    entropy: np.ndarray  # float32, nats, from 0 to the logarithm of num_classes
    num_classes: int


def run_prediction(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Predict as the command line `argv` says; 1 where a picture could not be read."""
    args = _parser(prog).parse_args(argv)
    prepare_mmseg()
    _, cfg = load_config(args)
    from ..models.binary import threshold_sentence
    from .loading import load_model
    from .options import require_file

    with errors_as_sentence():
        require_file(args.checkpoint, '`checkpoint`')
        pictures = find_pictures(args.folder, args.out)
        transform = reading_pipeline(cfg)
        model = load_model(cfg, args.checkpoint)  # before the folder is claimed
        claim_folder(args.out, origin(cfg, args.checkpoint, args.format))
    todo = [name for name in pictures if not is_done(args.out, name, args.format)]
    with errors_as_sentence((UnreadableError,)):
        failed = _predict_all(model, args, todo, transform) if todo else {}
    for name, reason in failed.items():
        print(f'error: {args.folder / name} is not readable: {reason}', file=sys.stderr)
    print(end=threshold_sentence(cfg.get('model') or {}))
    print(
        f'{args.out}: {len(todo) - len(failed)} predicted, '
        f'{len(pictures) - len(todo)} already there, {len(failed)} not readable'
    )
    return int(bool(failed))


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description='Prediction, confidence and entropy of pictures without labels.',
        epilog='Run it again after an interruption: finished pictures are skipped.',
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='a file or an address')
    parser.add_argument('folder', type=Path, help='pictures, also in subfolders')
    parser.add_argument(
        '--out', type=Path, default=Path('predictions'), help='default: %(default)s'
    )
    parser.add_argument(
        '--format',
        choices=FORMATS,
        default='png',
        help='png: class ids in the colours of the classes, confidence and entropy / '
        'log C as 16-bit grey, 65535 = 1; npz: arrays, entropy in nats',
    )
    return parser


def find_pictures(folder: Path, out: Path) -> list[Path]:
    """Pictures in `folder` and below, as paths in it, sorted; none that are in `out`.

    Raises:
        NotADirectoryError: `folder` is no folder.
        ValueError: it holds no picture, is `out` itself, or two of its pictures differ
            in the suffix alone and would share a result.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f'`FOLDER` must be a folder of pictures, got {folder}')
    if out.resolve() == folder.resolve():
        raise ValueError(f'`--out` must be another folder than the pictures: {out}')
    found = [
        path.relative_to(folder)
        for path in sorted(folder.rglob('*'))
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and out.resolve() not in path.resolve().parents
    ]
    if not found:
        raise ValueError(f'no picture in {folder}: looked for {", ".join(SUFFIXES)}')
    by_stem: dict[Path, Path] = {}
    for path in found:
        other = by_stem.setdefault(path.with_suffix(''), path)
        if other != path:
            raise ValueError(
                f'{other} and {path} would be one file in {out}: rename or move one'
            )
    return found


def origin(cfg: Config, checkpoint: str, file_format: str) -> dict[str, str]:
    """What the predictions depend on: they are not to be mixed in one folder."""
    described = json.dumps(
        {'model': cfg.model.to_dict(), 'pipeline': unlabelled_pipeline(cfg)},
        default=str,
        sort_keys=True,
    )
    weights = checkpoint
    if Path(checkpoint).is_file():
        weights = hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest()
    return {
        'config': hashlib.sha256(described.encode()).hexdigest(),
        'checkpoint': weights,
        'format': file_format,
    }


def claim_folder(out: Path, made_by: dict[str, str]) -> None:
    """Note in `out` what its predictions come from.

    Raises:
        ValueError: it holds those of something else.
    """
    note = out / ORIGIN
    if note.is_file():
        before = json.loads(note.read_text())
        changed = [key for key, value in made_by.items() if before.get(key) != value]
        if changed:
            raise ValueError(
                f'{out} holds predictions of another {" and ".join(changed)}: '
                'choose another `--out`, or delete it'
            )
    with whole_file(note) as temporary:
        temporary.write_text(json.dumps(made_by, indent=2) + '\n')


def unlabelled_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """The config's own test pipeline without what reads labels.

    Raises:
        ValueError: there is none.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while dataset.get('pipeline') is None and dataset.get('dataset'):
        dataset = dataset['dataset']
    steps = dataset.get('pipeline') or cfg.get('test_pipeline')
    if not steps:
        raise ValueError('the config has no `test_dataloader.dataset.pipeline`')
    return [dict(step) for step in steps if 'Annotation' not in str(step['type'])]


def reading_pipeline(cfg: Config) -> Callable[[dict], dict]:
    """What makes of `dict(img_path=...)` the model's input."""
    from mmengine.dataset import Compose
    from mmengine.registry import init_default_scope

    init_default_scope(cfg.get('default_scope', 'mmseg'))
    return Compose(unlabelled_pipeline(cfg))


def _predict_all(
    model: Any,
    args: argparse.Namespace,
    todo: Sequence[Path],
    transform: Callable[[dict], dict],
) -> dict[Path, str]:
    """Write the maps of every picture; return why some could not be read."""
    from mmengine.utils import track_iter_progress

    failed = {}
    for name in track_iter_progress(todo):
        info = {'img_path': str(args.folder / name), 'seg_fields': []}
        try:
            sample = transform(info)
        except Exception as error:  # decoders raise what they like on broken files
            failed[name] = f'{type(error).__name__}: {error}'
            continue
        write_maps(args.out, name, predict(model, sample), model, args.format)
    return failed


def predict(model: Any, sample: dict) -> Maps:
    """The maps of one picture, by the model's own test mode, at its own size."""
    import torch

    from ..functional.uncertainty import class_probs, confidence_map, entropy_map

    batch = {key: [value] for key, value in sample.items()}
    with torch.no_grad():
        (output,) = model.test_step(batch)
    probs = class_probs(output.seg_logits.data)
    prediction = output.pred_sem_seg.data[0].long()
    maps = prediction, confidence_map(probs, prediction), entropy_map(probs)
    ids, confidence, entropy = (values.cpu().numpy() for values in maps)
    ids = ids.astype(np.uint8 if len(probs) <= 256 else np.uint16)
    confidence, entropy = confidence.astype(np.float32), entropy.astype(np.float32)
    return Maps(ids, confidence, entropy, len(probs))


def files(out: Path, name: Path, file_format: str) -> list[Path]:
    """Where the maps of a picture go, the last one last."""
    if file_format == 'npz':
        return [(out / name).with_suffix('.npz')]
    return [(out / what / name).with_suffix('.png') for what in MAPS]


def is_done(out: Path, name: Path, file_format: str) -> bool:
    """Whether the maps of a picture are there: no file is ever half-written."""
    return all(path.is_file() for path in files(out, name, file_format))


def write_maps(out: Path, name: Path, maps: Maps, model: Any, file_format: str) -> None:
    """Write the maps of one picture, each file whole or not at all."""
    classes = model.dataset_meta.get('classes') or ()
    palette = model.dataset_meta.get('palette') or ()
    if file_format == 'npz':
        (path,) = files(out, name, file_format)
        with whole_file(path) as temporary:
            np.savez_compressed(
                temporary, **maps._asdict(), classes=list(classes), palette=palette
            )
        return
    images = (
        coloured(maps.prediction, palette),
        grey(maps.confidence),
        grey(maps.entropy / np.log(maps.num_classes)),
    )
    for path, image in zip(files(out, name, file_format), images, strict=True):
        with whole_file(path) as temporary:
            image.save(temporary)


def coloured(ids: np.ndarray, palette: Sequence[Sequence[int]]) -> Any:
    """A picture whose values are the ids and that viewers show in the palette."""
    from PIL import Image

    image = Image.fromarray(ids)
    if len(palette) and ids.dtype == np.uint8:
        image.putpalette([channel for colour in palette for channel in colour])
    return image


def grey(values: np.ndarray) -> Any:
    """Values in [0, 1] as 16-bit grey."""
    from PIL import Image

    return Image.fromarray(np.round(values.clip(0, 1) * SIXTEEN_BITS).astype(np.uint16))
