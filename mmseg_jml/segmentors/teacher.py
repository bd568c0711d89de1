"""A frozen segmentor that teaches: built late, loaded strictly, hidden."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from mmseg.models import BaseSegmentor, EncoderDecoder
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..shipped import find_config


class Teacher:
    """Gives the logits of a trained segmentor. Not a module, so that none holds it.

    As an attribute of a segmentor it is in no checkpoint, no optimizer, no average of
    weights; it neither moves nor trains with it. It is built when `build` is called or
    at the first pictures, and follows these to their device. A copy or a pickle of it
    is not built.

    Args:
        config: of the segmentor (a dict as `model` of a config), or a config's path,
            from the working folder or else in the shipped tree.
        checkpoint: a file or URL.
    """

    def __init__(self, config: str | Mapping[str, Any], checkpoint: str) -> None:
        if not isinstance(config, str | Mapping):
            raise TypeError(
                '`teacher` must be the path of a config or the config of a segmentor, '
                f'got {config!r}'
            )
        if not isinstance(checkpoint, str):
            raise TypeError(
                f'`teacher_checkpoint` must be a file or URL, got {checkpoint!r}'
            )
        self.config = config
        self.checkpoint = checkpoint
        self.model: EncoderDecoder | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, 'model': None}

    def build(self, student: EncoderDecoder) -> EncoderDecoder:
        """The teacher, made ready for a student at the first call.

        Raises:
            FileNotFoundError: no such config or checkpoint.
            TypeError: a model without logits of pixels.
            ValueError: it does not fit the checkpoint or the student.
        """
        if self.model is None:
            config = teacher_config(self.config)
            # The student's training draws the same numbers with any teacher.
            with torch.random.fork_rng():
                model = MODELS.build(config)
            check_kind(model)
            check_student(student, model, 'data_preprocessor' in config)
            load_strictly(model, self.checkpoint, self.config)
            self.model = model.eval().requires_grad_(False)
        return self.model

    def __call__(
        self, student: EncoderDecoder, pictures: Tensor, size: Sequence[int]
    ) -> Tensor:
        """Its logits (N,C,*size) of the student's normalized pictures (N,3,H,W)."""
        model = self.build(student)
        own = next(model.parameters())
        if own.device != pictures.device:
            model.to(pictures.device)
        with torch.no_grad():
            # Resized once, as its own head resizes when it is tested.
            return model.encode_decode(
                pictures.to(own.dtype), [dict(img_shape=torch.Size(size))]
            )


def teacher_config(teacher: str | Mapping[str, Any]) -> dict[str, Any]:
    """The config of the teacher's model, without what would load other weights."""
    if isinstance(teacher, str):
        cfg = Config.fromfile(find_config(teacher))
        if 'model' not in cfg:
            raise ValueError(f'`teacher` must be a config with a model, got {teacher}')
        model = cfg.model.to_dict()
        if 'data_preprocessor' in cfg:
            model.setdefault('data_preprocessor', cfg.data_preprocessor.to_dict())
    else:
        model = dict(teacher)
    found: dict[str, Any] = _without_weights(model)
    return found


def _without_weights(config: Any) -> Any:
    if isinstance(config, Mapping):
        return {
            key: _without_weights(value)
            for key, value in config.items()
            if key not in ('pretrained', 'init_cfg')
        }
    if isinstance(config, list | tuple):
        return type(config)(_without_weights(value) for value in config)
    return config


def check_kind(model: nn.Module) -> None:
    """Refuse a teacher that gives no logits of pixels."""
    heads = getattr(model, 'decode_head', None)
    last = heads[-1] if isinstance(heads, nn.ModuleList) else heads
    if not (isinstance(model, EncoderDecoder) and isinstance(last, BaseDecodeHead)):
        raise TypeError(
            '`teacher` must be an EncoderDecoder (or a subclass) with a head of pixel '
            f'logits, got {type(model).__name__} with {type(last).__name__}'
        )


def check_student(
    student: EncoderDecoder, teacher: EncoderDecoder, own_normalisation: bool
) -> None:
    """Refuse a teacher of other classes, or one that sees pictures in another way."""
    if student.out_channels != teacher.out_channels:
        raise ValueError(
            f"`teacher` must have the student's {student.out_channels} classes "
            f'(out_channels), got {teacher.out_channels}'
        )
    ours, theirs = normalisation(student), normalisation(teacher)
    if own_normalisation and ours != theirs:
        raise ValueError(
            "`teacher` must normalize pictures as the student's data_preprocessor "
            f'does, {ours}, got {theirs}: one batch of pictures serves both. Train '
            "either with the other's `mean`, `std` and `bgr_to_rgb`"
        )


def normalisation(model: BaseSegmentor) -> dict[str, Any]:
    """What a data_preprocessor does to the values of a picture."""
    made = model.data_preprocessor
    # Of the pictures' preprocessors of MMEngine these names are the only witnesses.
    found: dict[str, Any] = {'swap': getattr(made, '_channel_conversion', False)}
    for name in ('mean', 'std'):
        value = getattr(made, name, None)
        found[name] = None if value is None else value.flatten().tolist()
    return found


def load_strictly(
    model: nn.Module, checkpoint: str, config: str | Mapping[str, Any]
) -> None:
    """Load every weight of the teacher, and nothing else.

    Raises:
        FileNotFoundError: no such file.
        ValueError: keys are missing or left over, or shapes differ; it says which.
    """
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        train = config if isinstance(config, str) else 'CONFIG'
        raise FileNotFoundError(
            f'`teacher_checkpoint` {checkpoint!r} is not there (looked up from '
            f'{Path.cwd()}): train the teacher first, `python tools/train.py {train}`, '
            'or set model.teacher_checkpoint'
        )
    loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    weights = loaded.get('state_dict', loaded)
    weights = {re.sub(r'^module\.', '', key): value for key, value in weights.items()}
    own = model.state_dict()
    shapes = [
        f'{key} {tuple(weights[key].shape)} for {tuple(value.shape)}'
        for key, value in own.items()
        if key in weights and weights[key].shape != value.shape
    ]
    problems = {
        'missing': sorted(own.keys() - weights.keys()),
        'left over': sorted(weights.keys() - own.keys()),
        'of another shape': shapes,
    }
    if any(problems.values()):
        raise ValueError(
            f'`teacher_checkpoint` {checkpoint!r} is not of the model of `teacher`: '
            + '; '.join(_first(kind, keys) for kind, keys in problems.items() if keys)
        )
    model.load_state_dict(weights)


def _first(kind: str, keys: Sequence[str]) -> str:
    more = f' and {len(keys) - 3} more' if len(keys) > 3 else ''
    return f'{kind}: {", ".join(keys[:3])}{more}'
