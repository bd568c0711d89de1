"""Train and test one run in subprocesses."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...checkpoints import latest_checkpoint
from . import process, settings
from .cells import (
    Run,
    checkpoint,
    config,
    is_trained,
    shown,
    to_test,
    to_train,
)
from .logs import peak_memory, read_log
from .state import OUTPUT, last_lines, now, read_state, try_lock, write_state

LOOK = 2.0  # seconds between two looks at the memory
BEAT = 15.0  # seconds between two notes in run.json, should the runner be killed
MEGABYTE = 1024**2
JOBS = {'train': 'training', 'test': 'test'}
GPU_NAME = re.compile(r'^\s*GPU [\d,]+: (.+)$', re.MULTILINE)

Say = Callable[[str], None]


class RunFailedError(Exception):
    """A training or a test failed."""


def execute(
    run: Run, *, gpus: int = 1, environment: Mapping[str, str] | None = None, say: Say
) -> Generator[None, None, None]:
    """Train and test a run, and write the outcome to `run.json`.

    The iterator yields while it waits. Closing it ends the processes that it started;
    the run can then be resumed.
    """
    told = False
    while True:
        with try_lock(run.folder) as lock:
            if lock is not None:
                yield from _execute(run, gpus, environment or {}, say, lock)
                return
        if not told:
            say('is waiting for another process that works on it')
            told = True
        yield


def _execute(
    run: Run, gpus: int, environment: Mapping[str, str], say: Say, lock: int
) -> Generator[None, None, None]:
    state = read_state(run.folder)
    # By whom the lock was waited for; of a teacher whose weights are gone, long ago.
    if state.get('state') == 'done' and latest_checkpoint(run.folder) is not None:
        return
    cfg = config(run)
    state = _begin(run, state)
    write_state(run.folder, state)
    environment = {**environment, **settings.environment(run.fold)}
    try:
        if not is_trained(run, cfg):
            found = latest_checkpoint(run.folder)
            say(
                'is training'
                if found is None
                else f'continues training from {found.name}'
            )
            command = to_train(run, cfg, gpus)
            yield from _watch(run, 'train', command, environment, state, lock)
            state['trained'] = True
            write_state(run.folder, state)
        if latest_checkpoint(run.folder) is None:
            raise RunFailedError(f'the training left no checkpoint in {run.folder}')
        say('is being tested')
        command = to_test(run, cfg, gpus)
        yield from _watch(run, 'test', command, environment, state, lock)
    except RunFailedError as error:
        state |= {'state': 'failed', 'reason': str(error)}
    else:
        state |= {'state': 'done', 'checkpoint': str(checkpoint(run))}
    state |= {'finished': now(), **of_device(run.folder)}
    write_state(run.folder, state)


def _begin(run: Run, earlier: dict[str, Any]) -> dict[str, Any]:
    return {
        'cell': run.cell.name,
        'seed': run.seed,
        'fold': run.fold,
        'config': run.cell.config,
        'loss': run.cell.loss,
        'overrides': run.cell.overrides,
        'checkpoint': None,
        'state': 'running',
        'reason': None,
        # Without its weights it has to be trained again, maybe in several attempts.
        'trained': earlier.get('trained', False)
        and latest_checkpoint(run.folder) is not None,
        'train_seconds': earlier.get('train_seconds', 0.0),
        'test_seconds': earlier.get('test_seconds', 0.0),
        'attempts': earlier.get('attempts', 0) + 1,
        'peak_memory_mb': earlier.get('peak_memory_mb'),
        'device': earlier.get('device'),
        'started': earlier.get('started') or now(),
        'finished': None,
    }


def _watch(
    run: Run,
    job: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    state: dict[str, Any],
    lock: int,
) -> Generator[None, None, None]:
    """Run a command to its end, and record its time and memory.

    Raises:
        RunFailedError: it failed; the message has the end of its output.
    """
    output = run.folder / OUTPUT
    with output.open('a', encoding='utf-8') as file:
        file.write(f'$ {shown(command, environment)}\n')
    before, begin = state[f'{job}_seconds'], time.monotonic()
    look = beat = begin

    def note() -> None:
        state[f'{job}_seconds'] = round(before + time.monotonic() - begin, 1)
        write_state(run.folder, state)

    child = process.start(command, environment, output, lock)
    try:
        while child.poll() is None:
            # A test alone, of a training by hand, would tell another's memory.
            if job == 'train' and time.monotonic() >= look:
                look = time.monotonic() + LOOK
                _measure(state, child.pid)
            if time.monotonic() >= beat:
                beat = time.monotonic() + BEAT
                note()
            yield
    finally:
        if child.poll() is None:
            process.end(child)
        note()
    if child.returncode:
        words = f'the {JOBS[job]} ended with status {child.returncode}'
        raise RunFailedError(f'{words}:\n{last_lines(run.folder)}')


def _measure(state: dict[str, Any], pid: int) -> None:
    size = process.memory(pid)
    if size is not None:
        peak = max(state['peak_memory_mb'] or 0, size / MEGABYTE)
        state['peak_memory_mb'] = round(peak, 1)


def of_device(folder: Path) -> dict[str, Any]:
    """The device and the peak memory of a GPU, from the log of the training."""
    peak = peak_memory(read_log(folder))
    if peak is None:
        return {'device': f'CPU, {os.cpu_count()} cores'}
    logs = (path.read_text('utf-8') for path in sorted(folder.glob('*/*.log')))
    names = [name for log in logs for name in GPU_NAME.findall(log)]
    return {'device': names[-1] if names else 'GPU', 'peak_memory_mb': peak}
