"""Load checkpoints without running code in them, and write them completely."""

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
    """A checkpoint cannot be read, or not without running code in it."""


def distrust_checkpoints() -> None:
    """Let MMEngine and `torch.load` run no code when this process loads a file.

    MMEngine on its own may run code in both files and downloads. With
    `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1` in the environment, or with PyTorch before 2.6,
    nothing is changed.
    """
    if _distrusts():
        os.environ[DISTRUST] = '1'
    CheckpointLoader.register_scheme('', loader=load_from_file, force=True)


def load_weights(source: str, map_location: Any = 'cpu') -> dict[str, Any]:
    """Load a checkpoint from a file by `load_from_file`, or from a URL by MMEngine."""
    if '://' in source:
        return CheckpointLoader.load_checkpoint(source, map_location=map_location)
    return load_from_file(source, map_location)


def load_from_file(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read an MMEngine checkpoint or plain weights, without running code in the file.

    Besides tensors it may contain what MMEngine logs: HistoryBuffer and NumPy numbers.
    A safetensors file is read with that library.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is damaged, or contains other objects.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'there is no checkpoint {filename!r}')
    if path.suffix == '.safetensors':
        return _load_safetensors(path, map_location)
    distrust = _distrusts()
    _allow_what_is_harmless()  # MMEngine may have withdrawn it
    try:
        loaded = torch.load(path, map_location=map_location, weights_only=distrust)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f'checkpoint {path} was not loaded: it is damaged, or contains objects '
            f'that could run code ({_reason(error)}). If you trust its author, set '
            f'{TRUST}=1 in the environment'
        ) from error
    except Exception as error:  # PyTorch raises what it likes on broken files
        raise CheckpointError(
            f'checkpoint {path} cannot be read; is it complete? '
            f'{type(error).__name__}: {_reason(error)}'
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
            f'reading checkpoint {path} needs the library safetensors: '
            'pip install safetensors'
        ) from error
    try:
        return load_file(path, device=str(map_location or 'cpu'))
    except Exception as error:  # its own kinds of errors, on files that are damaged
        raise CheckpointError(
            f'checkpoint {path} cannot be read; is it complete? {error}'
        ) from error


def _distrusts() -> bool:
    trusts = os.environ.get(TRUST, '0').lower() in ('1', 'y', 'yes', 'true')
    return CAN_DISTRUST and not trusts


def _reason(error: Exception) -> str:
    """The cause of an error, without PyTorch's long advice."""
    found = re.search(r'WeightsUnpickler error: (.*)', str(error))
    return (found[1] if found else str(error)).split('Please use')[0].strip(' \n.')


def _allow_what_is_harmless() -> None:
    """Tell PyTorch which harmless types a checkpoint may contain besides tensors."""
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
    """Replace `getattr`, with which a HistoryBuffer refers to its own methods.

    The real one would give access to everything: `getattr(getattr, '__self__')` is
    `builtins`.
    """
    if owner is HistoryBuffer and name in STATISTICS:
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'it requests the attribute {name!r} of {owner!r}')


# OpenMMLab's MMEngine leaves it to PyTorch's default, which from 2.6 on refuses
# MMEngine's own checkpoints.
_allow_what_is_harmless()


def latest_checkpoint(folder: str | Path) -> Path | None:
    """The checkpoint that training in `folder` continues from, or None.

    It is the file in `folder` with the name in `last_checkpoint`, if that is complete;
    in a copied work dir the path there still points to the original. Otherwise it is
    the newest complete checkpoint, because a killed process or a full disk may have
    left `last_checkpoint` missing or empty. Otherwise it is the file at the path there.
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

    A file is written completely or not at all. Old checkpoints are removed only after
    the next one is written, and only in the same folder: a training run that continues
    in another folder leaves the checkpoints in the first folder alone.
    """

    # Of the class: MMEngine removes by one instance and writes by others.
    _condemned: ClassVar[set[Path]] = set()

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, then remove the files that `remove` was called with.

        Raises:
            OSError: The file cannot be written. Then nothing is removed.
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
        """Remove a file after the next one is written."""
        self._condemned.add(Path(filepath))
