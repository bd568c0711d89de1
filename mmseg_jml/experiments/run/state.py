"""What is known of a run: its `run.json`, and the lock of who works on it."""

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
OUTPUT = 'output.txt'  # all that its processes said
LINES = 15  # of the output, for the reason of a failure


def read_state(folder: Path) -> dict[str, Any]:
    """The content of `run.json`, empty where there is none.

    Raises:
        ValueError: it is not one of ours.
    """
    path = folder / FILE
    try:
        state = json.loads(path.read_text('utf-8'))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f'{path} is no JSON: {error}; delete it') from error
    if not isinstance(state, dict) or 'state' not in state:
        raise ValueError(f'{path} must be of a run, with a `state`: delete it')
    return state


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write `run.json`, whole or not at all."""
    text = json.dumps(state, indent=2)
    write_whole(folder / FILE, f'{text}\n'.encode())


def now() -> str:
    """The local time, to seconds."""
    return datetime.now().astimezone().isoformat(timespec='seconds')


def last_lines(folder: Path) -> str:
    """The end of what the run's processes said."""
    with contextlib.suppress(FileNotFoundError):
        text = (folder / OUTPUT).read_text('utf-8', errors='replace')
        return '\n'.join(text.rstrip().splitlines()[-LINES:])
    return ''


@contextlib.contextmanager
def try_lock(folder: Path) -> Iterator[int | None]:
    """Hold the run; gives the lock's file descriptor, or None if another holds it.

    A process that inherits the descriptor holds the lock too: a training that has
    outlived its runner keeps others away until it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / '.lock').open('a') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file.fileno()
