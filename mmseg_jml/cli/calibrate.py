"""The command `calibrate`, which fits temperature and vector scaling."""

from __future__ import annotations

import argparse
import copy
import os
import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import whole_file
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
    from mmengine.config import Config

SPLITS = ('val', 'test')
PLAIN, CALIBRATED = 'EncoderDecoder', 'CalibratedEncoderDecoder'


def run_calibration(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Fit both scalings, write a report and configs that apply them."""
    args = _parser(prog).parse_args(argv)
    prepare_mmseg()
    path, cfg = load_config(args)
    from ..weights import fingerprint
    from .calibration_report import write_report
    from .options import require_file
    from .scaling_fit import evaluate, fit, prepare

    with errors_as_sentence():
        require_file(args.checkpoint, '`checkpoint`')
        check(cfg, args.split, force=args.force)
        remark = overlap_remark(cfg, args.split)
        print(remark, file=sys.stderr)
        options = {'max_pixels': args.max_pixels, 'seed': args.seed}
        origin = origin_of(
            *('calibrate', cfg, path, args.checkpoint, args.split, options),
            args.cfg_options,
        )
        folder = args.out or default_folder(
            'calibrated', path, args.checkpoint, args.split
        )
        require_same_origin(folder, origin)
        task = prepare(cfg, args.checkpoint, args.split)
        fitted = fit(task, max_pixels=args.max_pixels, seed=args.seed)
    measured = evaluate(task, fitted)
    fitted_to = fingerprint(task.model)
    configs = {}
    for name, scaling in fitted.options().items():
        configs[name] = folder / f'{path.stem}_{name}.py'
        applied = {'scaling': scaling, 'fitted_to': fitted_to}
        text = calibrated_config(path, cfg, args.cfg_options or {}, applied, folder)
        with whole_file(configs[name]) as temporary:
            temporary.write_text(text)
    title = f'{path.stem}, {Path(args.checkpoint).name}, {args.split} split'
    remark = f'{sentence_of(origin)} {remark}'
    write_report(folder, title, remark, fitted, measured, task.classes)
    write_origin(folder, origin)
    command = 'python -m mmseg_jml'
    for config in configs.values():
        print(
            f'To get held-out results, run: {command} test {config} {args.checkpoint}'
        )
    return 0


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description='Post-hoc calibration: fit temperature and vector scaling on '
        'held-out images, report what they change, and write configs that apply them.',
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='a path or URL')
    parser.add_argument(
        '--split',
        choices=SPLITS,
        default='val',
        help='the split to fit on (default: val)',
    )
    parser.add_argument(
        '--force', action='store_true', help='fit even on the test split'
    )
    parser.add_argument(
        '--max-pixels',
        type=int,
        default=1_000_000,
        help='the largest number of pixels to fit on; the same number is drawn at '
        'random from each image, and memory grows with it (default: %(default)s)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='the seed of that random draw'
    )
    parser.add_argument(
        '--out',
        type=Path,
        help='the folder for the report and the configs (default: work_dirs/<config>'
        '/calibrated/<folder and name of the checkpoint>-<split>)',
    )
    return parser


def check(cfg: Config, split: str, *, force: bool) -> None:
    """Raise where fitting would give misleading results or cannot work.

    Raises:
        ValueError: The split is test and `force` is false, or the model is of another
            type.
    """
    if split == 'test' and not force:
        raise ValueError(
            '`--split test` would fit the scaling to the images that the results are '
            'reported on, which would then no longer be held out. Use `--split val`, '
            'or add `--force` to do it anyway'
        )
    kind = (
        cfg.model.type if isinstance(cfg.model.type, str) else cfg.model.type.__name__
    )
    if kind.split('.')[-1] == CALIBRATED:
        raise ValueError(
            'the config is already calibrated: use the config that it is based on'
        )
    if kind.split('.')[-1] != PLAIN:
        raise ValueError(
            f'`model.type` must be {PLAIN!r}, which {CALIBRATED} extends, got {kind!r}'
        )


def overlap_remark(cfg: Config, split: str) -> str:
    """A sentence on whether the test images are still held out."""
    if split == 'test':
        return (
            'warning: the scaling is fitted on the test split, so results on this '
            'split are no longer held out.'
        )
    try:
        val, test = (_paths(cfg, key) for key in ('val_dataloader', 'test_dataloader'))
    except (OSError, ValueError) as error:
        return f'warning: could not check whether val and test share images: {error}'
    shared = len(val & test)
    if not shared:
        return f'None of the {len(val)} val images is also a test image.'
    return (
        f'warning: {shared} of the {len(val)} val images are also test images, so test '
        'results of the calibrated model are no longer held out.'
    )


def _paths(cfg: Config, key: str) -> set[str]:
    """The paths of the images of a loader's dataset."""
    from ..datasets.check import leaf_datasets
    from ..datasets.listing import image_paths

    if cfg.get(key) is None:
        return set()
    paths = set()
    for leaf in leaf_datasets(cfg[key]['dataset']):
        leaf.full_init()
        paths |= image_paths(leaf)
    return paths


def calibrated_config(
    base: Path,
    cfg: Config,
    options: Mapping[str, Any],
    applied: Mapping[str, Any],
    folder: Path,
) -> str:
    """A config in `folder` that inherits from `base` and scales the logits.

    `applied` are the arguments that only CalibratedEncoderDecoder has. Changes by
    `--cfg-options` are kept, because the measured model has them too.
    """
    from mmengine.config import Config

    changes = Config()
    for key in options:
        parts = key.split('.')
        # Lists are replaced, not merged: an option inside one brings the whole.
        places = [part.isdigit() for part in parts]
        parts = parts[: places.index(True)] if any(places) else parts
        value = reduce(lambda level, part: level[part], parts, cfg)
        changes.merge_from_dict({'.'.join(parts): value})
    imports = cfg.get('custom_imports') or {}
    names = imports.get('imports') or []
    names = [names] if isinstance(names, str) else list(names)
    changes.custom_imports = {
        'allow_failed_imports': False,
        **imports,
        'imports': list(dict.fromkeys([*names, 'mmseg_jml'])),
    }
    changes.merge_from_dict({'model.type': CALIBRATED})
    changes.model.update(copy.deepcopy(dict(applied)))
    path = os.path.relpath(base.resolve(), folder.resolve())
    return f'_base_ = {path!r}\n{changes.pretty_text}'
