"""Checkpoints: reading one runs no code, and one that is written is there whole."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.utils import digit_version

from .files import UnreadableError, write_whole

TRUST = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'  # PyTorch's own names
DISTRUST = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
# Before it, a file could run code although weights alone were asked for.
CAN_DISTRUST = digit_version(torch.__version__) >= digit_version('2.6.0')
STATISTICS = ('min', 'max', 'current', 'mean')
RESUMABLE = re.compile(r'(iter|epoch)_(\d+)\.pth')


class CheckpointError(UnreadableError):
    """A checkpoint cannot be read, or not without running what it says."""


def distrust_checkpoints() -> None:
    """Make whatever this process loads by MMEngine or `torch.load` run no code.

    MMEngine itself falls back to running it, of files and addresses alike. With
    `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1` in the environment, or a PyTorch before 2.6,
    everything stays as MMEngine has it.
    """
    if _distrusts():
        os.environ[DISTRUST] = '1'
    CheckpointLoader.register_scheme('', loader=load_from_file, force=True)


def load_weights(source: str, map_location: Any = 'cpu') -> dict[str, Any]:
    """The checkpoint of a file, by `load_from_file`, or of an address, by MMEngine."""
    if '://' in source:
        return CheckpointLoader.load_checkpoint(source, map_location=map_location)
    return load_from_file(source, map_location)


def load_from_file(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint of MMEngine's or plain weights; nothing in it is executed.

    Besides tensors it may hold what MMEngine logs: `HistoryBuffer` and NumPy's numbers.
    A file of safetensors is read with that library.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is damaged, or holds something else.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'no checkpoint {filename!r}')
    if path.suffix == '.safetensors':
        return _load_safetensors(path, map_location)
    distrust = _distrusts()
    _allow_what_is_harmless()  # MMEngine may have withdrawn it
    try:
        loaded = torch.load(path, map_location=map_location, weights_only=distrust)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f'checkpoint {path} was not loaded: it is damaged, or holds objects that '
            f'could run code ({_reason(error)}). If you trust whoever made it, set '
            f'{TRUST}=1 in the environment'
        ) from error
    except Exception as error:  # PyTorch raises what it likes on broken files
        raise CheckpointError(
            f'checkpoint {path} cannot be read; is it whole? {type(error).__name__}: '
            f'{_reason(error)}'
        ) from error
    if distrust and isinstance(loaded, dict) and isinstance(loaded.get('meta'), dict):
        # Runner.resume would execute it, to compare numbers of GPUs. Nothing of today
        # writes it: the config is saved as `cfg`.
        loaded['meta'].pop('config', None)
    return loaded


def _load_safetensors(path: Path, map_location: Any) -> dict[str, Any]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(
            f'checkpoint {path} can be read once the library safetensors is there: '
            'pip install safetensors'
        ) from error
    try:
        return load_file(path, device=str(map_location or 'cpu'))
    except Exception as error:  # its own kinds of errors, on files that are damaged
        raise CheckpointError(
            f'checkpoint {path} cannot be read; is it whole? {error}'
        ) from error


def _distrusts() -> bool:
    trusts = os.environ.get(TRUST, '0').lower() in ('1', 'y', 'yes', 'true')
    return CAN_DISTRUST and not trusts


def _reason(error: Exception) -> str:
    """The cause, out of PyTorch's page on what else could be called."""
    found = re.search(r'WeightsUnpickler error: (.*)', str(error))
    return (found[1] if found else str(error)).split('Please use')[0].strip(' \n.')


def _allow_what_is_harmless() -> None:
    """Tell PyTorch what may be built besides tensors, some under the name in files."""
    if not CAN_DISTRUST:
        return
    inner: Any = np._core if hasattr(np, '_core') else np.core
    multiarray = inner.multiarray
    numbers = {type(np.dtype(code)) for code in np.typecodes['AllInteger'] + 'efd?'}
    functions = [
        (getattr(multiarray, name), f'numpy.{core}.multiarray.{name}')
        for name in ('_reconstruct', 'scalar')
        for core in ('core', '_core')  # NumPy 1 and 2
    ]
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            (_statistic, 'builtins.getattr'),
            np.ndarray,
            np.dtype,
            *numbers,
            *functions,
        ]
    )


def _statistic(owner: object, name: object) -> Any:
    """Stand in for `getattr`, by which a HistoryBuffer refers to its own methods.

    The real one would reach everything: `getattr(getattr, '__self__')` is `builtins`.
    """
    if owner is HistoryBuffer and name in STATISTICS:
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'it asks for the attribute {name!r} of {owner!r}')


# OpenMMLab's MMEngine leaves it to PyTorch's default, which from 2.6 on refuses
# MMEngine's own checkpoints.
_allow_what_is_harmless()


def latest_checkpoint(folder: str | Path) -> Path | None:
    """The checkpoint that a training in `folder` goes on from, None if there is none.

    The one whose name the note `last_checkpoint` has, if it is whole: in a copied work
    dir the note's path is that of the original. Else the newest whole one: a training
    may have been killed before it wrote the note, and a full disk leaves it empty. Else
    the file that the note names, wherever it is.
    """
    folder = Path(folder)
    note = folder / 'last_checkpoint'
    written = Path(note.read_text().strip()) if note.is_file() else Path()
    matches = [RESUMABLE.fullmatch(path.name) for path in folder.glob('*.pth')]
    # Of two of the same tick of the file system's clock the later is the higher.
    others = sorted(
        ((folder / m[0]).stat().st_mtime_ns, int(m[2]), folder / m[0])
        for m in matches
        if m
    )
    newest = [path for *_, path in reversed(others)]
    candidates = [folder / written.name, *newest, written]
    return next((path for path in candidates if zipfile.is_zipfile(path)), None)


@register_backend('whole')
class WholeBackend(LocalBackend):
    """A LocalBackend for CheckpointHook: `backend_args=dict(backend='whole')`.

    A file is written whole or not at all. What is to be removed goes when the next file
    has been written, so that a new checkpoint is there before an old one, or the best,
    is not; and only beside it: a training that goes on in another folder leaves the
    checkpoints of the first alone.
    """

    # Of the class: MMEngine removes by one instance and writes by others.
    _condemned: ClassVar[set[Path]] = set()

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, then remove what `remove` was told.

        Raises:
            OSError: It cannot be written; the message names it. Nothing is removed.
        """
        path = Path(filepath)
        try:
            write_whole(path, obj)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        for old in self._condemned - {path}:
            if old.parent == path.parent:
                old.unlink(missing_ok=True)
        self._condemned.clear()

    def remove(self, filepath: str | Path) -> None:
        """Remove a file once the next one is written."""
        self._condemned.add(Path(filepath))
