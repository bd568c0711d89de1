"""Run Python beside the tests, as a user would."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def environment(*path: Path) -> dict[str, str]:
    """Return an environment whose PYTHONPATH is `path`, the checkout by default."""
    folders = os.pathsep.join(str(folder) for folder in path or (ROOT,))
    return {**os.environ, 'PYTHONPATH': folders, 'OMP_NUM_THREADS': '1'}


def run_python(
    *args: str | Path, cwd: Path, path: Sequence[Path] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `python *args` in `cwd`; the result has returncode, stdout and stderr."""
    return subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=cwd,
        env=environment(*path),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def free_port() -> str:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])
