"""The state of a run in its `run.json`, and the lock on its folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ...files import write_whole

FILE = 'run.json'
OUTPUT = 'output.txt'  # everything that its processes printed
LINES = 15  # lines of the output that are shown as the reason of a failure


def read_state(folder: Path) -> dict[str, Any]:
    """The content of `run.json`, empty where there is none.

    Raises:
        ValueError: it was not written by this package.
    """
    path = folder / FILE
    try:
        state = json.loads(path.read_text('utf-8'))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f'{path} is not valid JSON: {error}; delete it') from error
    if not isinstance(state, dict) or 'state' not in state:
        raise ValueError(
            f'{path} must be the record of a run with a `state`, but is not: delete it'
        )
    return state


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write `run.json` completely or not at all."""
    text = json.dumps(state, indent=2)
    write_whole(folder / FILE, f'{text}\n'.encode())


def now() -> str:
    """The local time in seconds."""
    return datetime.now().astimezone().isoformat(timespec='seconds')


def last_lines(folder: Path) -> str:
    """The last lines that the processes of a run printed."""
    with contextlib.suppress(FileNotFoundError):
        text = (folder / OUTPUT).read_text('utf-8', errors='replace')
        return '\n'.join(text.rstrip().splitlines()[-LINES:])
    return ''


@contextlib.contextmanager
def try_lock(folder: Path) -> Iterator[int | None]:
    """Lock a run; yield the file descriptor of the lock, or None if it is locked.

    A process that inherits the descriptor holds the lock too, so a training process
    that outlives its runner keeps others out until it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / '.lock').open('a') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file.fileno()
