"""A frozen segmentor that another one learns from."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseDataPreprocessor, ImgDataPreprocessor
from mmseg.models import BaseSegmentor, SegDataPreProcessor
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..shipped import find_config
from ..weights import load_exactly, read_weights

COLOURS = 3


class Teacher:
    """A segmentor that is not a submodule, built when its logits are first needed.

    It is therefore not part of any checkpoint, optimizer, EMA or count of FLOPs, and
    `train()`, weight initialization and the conversion of BatchNorm do not change it.
    It moves to the device of the images. Copies of the student share it, and a pickle
    holds only its config and the path of its checkpoint.

    Args:
        config: The config of a segmentor, or the path of a config, which may be one of
            the shipped configs.
        checkpoint: The path or URL of its weights, which must fit exactly.

    Raises:
        TypeError: An argument has the wrong type.
    """

    def __init__(self, config: str | Mapping[str, Any], checkpoint: str) -> None:
        if not isinstance(config, str) and not (
            isinstance(config, Mapping) and 'type' in config
        ):
            raise TypeError(
                '`teacher` must be the path of a config or the config of a segmentor '
                f'(a dict with a `type`), got {config!r}'
            )
        if not isinstance(checkpoint, str):
            raise TypeError(
                f'`teacher_checkpoint` must be a path or URL, got {checkpoint!r}'
            )
        self.config = config
        self.checkpoint = checkpoint
        self.model: BaseSegmentor | None = None
        self.scaling: tuple[bool, Tensor, Tensor] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Teacher:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, 'model': None, 'scaling': None}

    def build(self, student: BaseSegmentor) -> BaseSegmentor:
        """Build and load the model in the first call, and return it in every call.

        The random state does not change, so that the student trains as without it.

        Raises:
            FileNotFoundError: The config or the checkpoint does not exist.
            ValueError: The checkpoint does not fit the config, or the teacher does not
                fit the student.
        """
        if self.model is not None:
            return self.model
        require_teacher_checkpoint(self.checkpoint, self.config)
        with torch.random.fork_rng(devices=[]):
            model = MODELS.build(model_config(self.config))
        if model.out_channels != student.out_channels:
            raise ValueError(
                f"`teacher` must have the student's {student.out_channels} classes "
                f'(output channels), got {model.out_channels}'
            )
        found = read_weights(self.checkpoint)
        load_exactly(model, found.state, self.checkpoint, 'teacher_checkpoint')
        self.scaling = rescaling(student.data_preprocessor, model.data_preprocessor)
        self.model = model.requires_grad_(False).eval()
        return self.model

    @torch.no_grad()
    def logits(
        self, student: BaseSegmentor, inputs: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """The logits (N,C,*size) of the student's inputs, resized as its head resizes.

        Whole images: no windows, whatever its `test_cfg` says.

        Raises:
            ValueError: the teacher is for another number of bands.
        """
        model = self.build(student)
        own = next(model.parameters())
        if (own.device, own.dtype) != (inputs.device, inputs.dtype):
            model.to(device=inputs.device, dtype=inputs.dtype)
        if self.scaling is not None:
            swap, scale, offset = self.scaling
            # A preprocessor swaps the channels of colour images alone.
            inputs = inputs.flip(1) if swap and inputs.shape[1] == COLOURS else inputs
            inputs = inputs * scale.to(inputs) + offset.to(inputs)
        shape = torch.Size(size)
        meta = {'img_shape': shape, 'pad_shape': shape, 'ori_shape': shape}
        with naming_bands(model, inputs):
            return model.inference(inputs, [meta] * len(inputs))


@contextmanager
def naming_bands(model: BaseSegmentor, inputs: Tensor) -> Iterator[None]:
    """Let the error of a network that is for other bands say so.

    Raises:
        ValueError: the first convolution takes another number of bands than `inputs`
            (N,B,H,W) have.
    """
    try:
        yield
    except RuntimeError as error:
        convolutions = (m for m in model.modules() if isinstance(m, nn.Conv2d))
        first = next(convolutions, None)
        if first is None or first.in_channels == inputs.shape[1]:
            raise
        raise ValueError(
            f'`teacher` takes images with {first.in_channels} bands, got '
            f'{inputs.shape[1]}: teacher and student must take the same images'
        ) from error


def require_teacher_checkpoint(
    checkpoint: str, config: str | Mapping[str, Any]
) -> None:
    """Check that the checkpoint of a teacher exists.

    Raises:
        FileNotFoundError: It is neither an existing file nor a URL.
    """
    if '://' in checkpoint or Path(checkpoint).is_file():
        return
    named = isinstance(config, str)
    command = f' (`python -m mmseg_jml train {config}`)' if named else ''
    raise FileNotFoundError(
        f'`teacher_checkpoint`: no file {checkpoint!r}. Train the teacher first'
        f'{command}, or give the path of its weights with '
        '`--cfg-options model.teacher_checkpoint=FILE`'
    )


def model_config(config: str | Mapping[str, Any]) -> dict[str, Any]:
    """The config of the segmentor alone: no weights to fetch, no auxiliary head.

    Raises:
        FileNotFoundError: no config has this path; the message names close ones.
        ValueError: the config has no model.
    """
    if isinstance(config, str):
        whole = Config.fromfile(find_config(config))
        if 'model' not in whole:
            raise ValueError(
                f'`teacher` must be a config with a `model`, got {config!r}'
            )
        # As the runner does.
        whole.model.setdefault('data_preprocessor', whole.get('data_preprocessor'))
        config = whole.model
    found = without_pretraining(copy.deepcopy(config))
    found.pop('auxiliary_head', None)
    found.pop('train_cfg', None)
    found['test_cfg'] = {**(found.get('test_cfg') or {}), 'mode': 'whole'}
    return found


def without_pretraining(config: Any) -> Any:
    """A config in which nothing is fetched or initialized from elsewhere."""
    if isinstance(config, list | tuple):
        return type(config)(without_pretraining(each) for each in config)
    if not isinstance(config, Mapping):
        return config
    for key in list(config):
        if key == 'init_cfg':
            del config[key]
        elif key == 'pretrained':  # timm wants a bool, mmseg a name or None
            config[key] = False if isinstance(config[key], bool) else None
        else:
            config[key] = without_pretraining(config[key])
    return config


def rescaling(
    student: nn.Module, teacher: nn.Module
) -> tuple[bool, Tensor, Tensor] | None:
    """What makes the teacher's inputs of the student's: flip channels?, factor, offset.

    Factor and offset (1,B,1,1) have one value for all bands, or one for each. None
    where both normalize alike. Padded pixels come along as the student pads them; their
    labels are ignored.

    Raises:
        ValueError: how one of them normalizes is not known, or they are for different
            numbers of bands.
    """
    (swap, mean, std), (other_swap, other_mean, other_std) = (
        _normalization(each) for each in (student, teacher)
    )
    if 1 not in (len(mean), len(other_mean)) and len(mean) != len(other_mean):
        raise ValueError(
            '`mean` in the `data_preprocessor` of teacher and student must be for the '
            f'same bands, got {len(other_mean)} and {len(mean)} values'
        )
    flip = swap != other_swap
    if flip:
        mean, std = mean.flip(0), std.flip(0)
    scale = std / other_std
    offset = (mean - other_mean) / other_std
    alike = (scale == 1).all() and (offset == 0).all() and len(scale) <= len(mean)
    if alike and not flip:
        return None
    return flip, scale.view(1, -1, 1, 1), offset.view(1, -1, 1, 1)


def _normalization(preprocessor: nn.Module) -> tuple[bool, Tensor, Tensor]:
    """Whether the channels are swapped, and the means and deviations.

    They are (1,) for all bands, or one for each.
    """
    # OpenMMLab's SegDataPreProcessor is no ImgDataPreprocessor, but alike.
    if isinstance(preprocessor, ImgDataPreprocessor | SegDataPreProcessor):
        own = vars(preprocessor)
        swap = bool(own.get('_channel_conversion', own.get('channel_conversion')))
        if not preprocessor._enable_normalize:
            return swap, torch.zeros(1), torch.ones(1)
        mean, std = preprocessor.mean.flatten(), preprocessor.std.flatten()
        return swap, mean.cpu(), std.cpu()
    if type(preprocessor) is BaseDataPreprocessor:  # what a model without one gets
        return False, torch.zeros(1), torch.ones(1)
    raise ValueError(
        '`data_preprocessor` of teacher and student must be SegDataPreProcessor or '
        'another ImgDataPreprocessor, whose normalization is known, got '
        f'{type(preprocessor).__name__}'
    )
