"""Start, measure and end processes together with their children."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE = 40.0  # seconds; torchrun gives its own processes 30


def start(
    command: Sequence[str], environment: Mapping[str, str], output: Path, lock: int
) -> subprocess.Popen[bytes]:
    """Start a command in its own session, which keeps the lock.

    Ctrl-C in the terminal does not reach it, so the caller has to end it.
    """
    with output.open('ab') as file:
        return subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process and its session to end, and kill them after `GRACE` seconds."""
    _signal(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal(process.pid, signal.SIGKILL)
        process.wait()


def _signal(session: int, number: int) -> None:
    try:
        os.killpg(session, number)
    except ProcessLookupError:  # all have ended
        return


def memory(pid: int) -> int | None:
    """The memory of a process and its descendants in bytes, or None if unknown.

    Pages that several processes share are counted once (Linux's PSS).
    """
    sizes = [_proportional_size(each) for each in (pid, *_descendants(pid))]
    found = [size for size in sizes if size is not None]
    return sum(found) if found else None


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path('/proc', str(pid), 'task').glob('*/children'):
        try:
            children = [int(word) for word in path.read_text().split()]
        except OSError:  # it has ended meanwhile
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


def _proportional_size(pid: int) -> int | None:
    try:
        text = Path('/proc', str(pid), 'smaps_rollup').read_text()
    except OSError:
        return None
    sizes = [line.split()[1] for line in text.splitlines() if line.startswith('Pss:')]
    return int(sizes[0]) * 1024 if sizes else None
