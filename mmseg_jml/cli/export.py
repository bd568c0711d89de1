"""The command `export`, which saves one model of a semi-supervised checkpoint."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..files import whole_file
from .launch import (
    add_config_arguments,
    errors_as_sentence,
    load_config,
    prepare_mmseg,
)
from .parser import Parser

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import Tensor

Model = Literal['student', 'ema']
TEACHER = 'teacher.'
AVERAGE = 'teacher.module.'
# The keys of the checkpoint's meta that are still valid for one of its models.
KEPT = ('dataset_meta', 'epoch', 'iter', 'seed', 'experiment_name', 'time')


def run_export(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Export a model with the arguments `argv`."""
    args = _parser(prog).parse_args(argv)
    prepare_mmseg()
    path, cfg = load_config(args)
    from mmengine.runner import save_checkpoint

    from ..weights import read_weights
    from .options import require_file

    with errors_as_sentence():
        require_file(args.checkpoint, '`checkpoint`')
        loaded = read_weights(args.checkpoint)
        state = model_state(loaded.state, args.model)
        check_fits(cfg, state, f'{args.checkpoint} and {path}')
        meta = {k: v for k, v in loaded.meta.items() if k in KEPT}
        with whole_file(args.out) as temporary:
            save_checkpoint({'meta': meta, 'state_dict': state}, str(temporary))
    print(f'{args.out}: the {args.model} model of {args.checkpoint}')
    return 0


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog=prog,
        description='Save one model of a semi-supervised training run as a plain '
        'checkpoint, which any config with the same model can load.',
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='a path or URL')
    parser.add_argument('out', type=Path, metavar='OUT', help='the new checkpoint file')
    parser.add_argument(
        '--model',
        choices=('student', 'ema'),
        default='ema',
        help='export the student or its moving average (default: %(default)s)',
    )
    return parser


def model_state(state: Mapping[str, Tensor], model: Model) -> dict[str, Tensor]:
    """The weights of one model, with the keys of the plain model.

    Raises:
        ValueError: the checkpoint has no moving average.
    """
    if not any(key.startswith(AVERAGE) for key in state):
        raise ValueError(
            '`checkpoint` must come from a SemiEncoderDecoder, with keys '
            f'{AVERAGE}*, but it has no such keys'
        )
    if model == 'student':
        return {k: v for k, v in state.items() if not k.startswith(TEACHER)}
    return {
        key.removeprefix(AVERAGE): value
        for key, value in state.items()
        if key.startswith(AVERAGE)
    }


def check_fits(cfg: Config, state: Mapping[str, Tensor], which: str) -> None:
    """Raise unless the weights are exactly those of the model in the config.

    Raises:
        ValueError: they differ; the message names the keys.
    """
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    from ..segmentors.teacher import without_pretraining
    from ..weights import differences

    init_default_scope(cfg.get('default_scope') or 'mmseg')
    model = MODELS.build(without_pretraining(copy.deepcopy(cfg.model)))
    own = model.state_dict().items()
    problems = differences({k: v for k, v in own if not k.startswith(TEACHER)}, state)
    if problems:
        raise ValueError(f'`checkpoint` and `config` ({which}) do not fit:{problems}')
