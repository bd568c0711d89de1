"""Find the weights in a checkpoint, and check that they fit a model exactly."""

from __future__ import annotations

import hashlib
import re
import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .checkpoints import CheckpointError, load_weights

# Where a checkpoint keeps its weights, if it holds more than the weights.
ENTRIES = ('state_dict', 'model')
# What DistributedDataParallel and Lightning put before every key.
PREFIXES = ('module.', 'model.')
TEACHER = 'teacher.'  # of a semi-supervised training
AVERAGE = 'teacher.module.'
# No prediction depends on these, so a checkpoint may lack them or hold more of them.
# MMEngine passes over a missing num_batches_tracked, which old files do not have.
UNUSED = re.compile(r'(^|\.)(auxiliary_head|loss_decode)\.|num_batches_tracked$')


class Weights(NamedTuple):
    """The weights of a checkpoint and its metadata."""

    state: Mapping[str, Tensor]
    meta: Mapping[str, Any]


def read_weights(source: str) -> Weights:
    """Read the weights of a file or URL, without running code in it.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It cannot be read, or contains no weights.
    """
    return find_weights(load_weights(source), source)


def find_weights(loaded: Any, source: str) -> Weights:
    """The weights of a checkpoint that was read from `source`.

    They are the entry `state_dict`, or the entry `model`, or the whole checkpoint.

    Raises:
        CheckpointError: There are none; the message says what it contains instead.
    """
    entries = loaded if isinstance(loaded, Mapping) else {}
    named = (entries.get(entry) for entry in ENTRIES)
    state = next((each for each in named if isinstance(each, Mapping)), entries)
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        held = ', '.join(map(str, list(entries)[:6])) or 'nothing'
        where = ' or '.join(f'`{entry}`' for entry in ENTRIES)
        raise CheckpointError(
            f'checkpoint {source!r} has no weights. They must be its entry {where}, '
            f'or the file must be a dictionary of tensors; it contains {held}'
            + (
                ''
                if state or not entries
                else ', and the dictionary of weights is empty'
            )
        )
    meta = entries.get('meta') if state is not entries else None
    return Weights(state, meta if isinstance(meta, Mapping) else {})


def without_prefix(
    state: Mapping[str, Tensor], model: nn.Module
) -> Mapping[str, Tensor]:
    """Remove a prefix that all weights have but the model does not have.

    >>> from torch import nn, ones
    >>> list(without_prefix({'module.weight': ones(1, 1)}, nn.Linear(1, 1, bias=False)))
    ['weight']
    """
    own = model.state_dict()
    for prefix in PREFIXES * 2:  # one may stand before the other
        if any(key.startswith(prefix) for key in own):
            continue
        if not all(key.startswith(prefix) for key in state):
            continue
        versions = getattr(state, '_metadata', None)
        state = OrderedDict((k.removeprefix(prefix), v) for k, v in state.items())
        if versions is not None:  # by which modules convert old weights
            state._metadata = OrderedDict(  # type: ignore[attr-defined]
                (k.removeprefix(prefix), v) for k, v in versions.items()
            )
        print(f'the prefix {prefix!r} was removed from all weights', file=sys.stderr)
    return state


def load_exactly(
    model: nn.Module, state: Mapping[str, Tensor], source: str, name: str = 'checkpoint'
) -> None:
    """Load weights into a model, if they are exactly those that it predicts with.

    Auxiliary heads and losses may differ. A semi-supervised model also accepts the
    weights of only its student, and then predicts with the student.

    Args:
        model: the model; after an error its weights are undefined.
        state: the weights that `find_weights` returns.
        source: the path or URL, for the message.
        name: the name of the checkpoint argument, for the message.

    Raises:
        CheckpointError: Keys are missing, unknown or of another shape, or weights are
            not finite; the message names them and says what to do.
    """
    given = without_prefix(state, model)
    try:
        missing, unknown = model.load_state_dict(given, strict=False)
    except RuntimeError as error:  # another shape, but PyTorch's text is a page long
        problems = differences(model.state_dict(), given) or f'\n  {error}'
    except ValueError:  # of CalibratedEncoderDecoder, whose weights are to be others
        problems = differences(model.state_dict(), given)
        if not problems:
            raise
    else:
        if not any(key.startswith(TEACHER) for key in given):
            missing = [key for key in missing if not key.startswith(TEACHER)]
        problems = _listed(
            {MISSING: _needed(missing), UNEXPECTED: _needed(unknown)},
        )
    if problems:
        raise CheckpointError(
            f'`{name}` {source!r} does not have the weights of the model in the config:'
            f'{problems}\n{_advice(model.state_dict(), given)}'
        )
    _refuse_broken_numbers(model, given, f'`{name}` {source!r}')


def require_some(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Raise if training would not use a single weight of the checkpoint.

    Raises:
        CheckpointError: No weight has the name and shape of one of the model.
    """
    own = model.state_dict()
    if not any(k in own and v.shape == own[k].shape for k, v in state.items()):
        raise CheckpointError(
            f'`load_from` {source!r} has no weight of the model in the config:'
            f'{differences(own, state)}\n{_advice(own, state)}'
        )


MISSING = 'the model has and the checkpoint lacks'
UNEXPECTED = 'the checkpoint has and the model lacks'


def differences(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """How the keys and shapes of a checkpoint differ from those of a model, or ''."""
    shapes = [
        f'{key} {tuple(given[key].shape)} instead of {tuple(own[key].shape)}'
        for key in own
        if key in given and given[key].shape != own[key].shape
    ]
    return _listed(
        {
            MISSING: [key for key in _needed(own) if key not in given],
            UNEXPECTED: [key for key in _needed(given) if key not in own],
            'have another shape in the checkpoint': shapes,
        }
    )


def _needed(keys: Any) -> list[str]:
    return [key for key in keys if not UNUSED.search(key)]


def _listed(problems: Mapping[str, list[str]]) -> str:
    return ''.join(
        f'\n  {len(keys)} keys {problem}: {", ".join(keys[:4])}'
        + (', ...' if len(keys) > 4 else '')
        for problem, keys in problems.items()
        if keys
    )


def _advice(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Advice on a checkpoint that does not fit, in one or two sentences."""
    needed = _needed(own)
    if any(key.startswith(AVERAGE) for key in given) and not any(
        key.startswith(TEACHER) for key in own
    ):
        return (
            'The checkpoint comes from semi-supervised training and contains two '
            'models. Use the config of that training run, or save one model as a '
            'separate checkpoint: python -m mmseg_jml export CONFIG CHECKPOINT OUT '
            '(the default is the moving average; add `--model student` for the student)'
        )
    last = needed[-1]
    for key in given:
        prefix = key.removesuffix(last)
        if prefix and prefix != key and all(prefix + each in given for each in needed):
            return (
                f"The weights of the model are there with the prefix '{prefix}'. "
                'If you want to use them, save them without the prefix: '
                f'torch.save({{k.removeprefix({prefix!r}): v for k, v in '
                f'state_dict.items() if k.startswith({prefix!r})}}, FILE)'
            )
    if any(key.startswith('ema_') for key in given):
        return (
            'Names that begin with ema_ are a moving average from MMCV, which has only '
            'the parameters and not the statistics of batch normalization. Save a '
            'checkpoint with the names of the model, as MMEngine and its EMAHook do'
        )
    parts = {
        key.removeprefix('backbone.') for key in own if key.startswith('backbone.')
    }
    heads = [key for key in own if not key.startswith('backbone.')]
    found = {key.removeprefix('backbone.') for key in given}
    if found & parts and not any(key in given for key in heads):
        return (
            'The checkpoint contains only a pretrained backbone and no head to predict '
            "with. Training can start from it with `model.backbone.init_cfg=dict(type='"
            "Pretrained', checkpoint=FILE)`"
        )
    return (
        'Use the checkpoint together with the config that it was trained with. '
        'MMEngine saves a copy of that config in the work dir of the training run'
    )


def fingerprint(model: nn.Module) -> str:
    """The SHA-256 of the weights that a model predicts with.

    It does not depend on the file that they were read from, on auxiliary heads and
    losses, or on the device.
    """
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        if not UNUSED.search(key):
            digest.update(f'{key} {value.dtype} {tuple(value.shape)}'.encode())
            numbers = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(numbers.numpy())
    return digest.hexdigest()


def _refuse_broken_numbers(
    model: nn.Module, state: Mapping[str, Tensor], which: str
) -> None:
    """Raise if a parameter is NaN or infinite; an attention mask may be infinite."""
    parameters = dict(model.named_parameters())
    broken = [
        key
        for key, value in state.items()
        if value.is_floating_point()
        and not UNUSED.search(key)
        and not (value.isfinite() if key in parameters else ~value.isnan()).all()
    ]
    if broken:
        raise CheckpointError(
            f'{which} cannot predict: {len(broken)} of its tensors contain NaN or inf, '
            f'first {broken[0]}. The training run that wrote it diverged: use an '
            'earlier checkpoint'
        )
