"""Do the same to many files: on several threads, with progress."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

DEFAULT_WORKERS = min(8, os.cpu_count() or 1)
SECONDS_ON_SCREEN, SECONDS_IN_A_LOG = 0.2, 10.0


def parallel_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int = DEFAULT_WORKERS,
    what: str = 'files',
) -> list[Result]:
    """`function` of every item, in order, with progress on stderr.

    Threads, not processes: decoding and NumPy leave the interpreter's lock, and
    threads end with their process, however it is killed.

    Args:
        function: What is done; its errors end the map.
        items: To what.
        workers: How many threads, at least 1.
        what: The items' name in the progress.

    Raises:
        ValueError: `workers` is less than 1.

    >>> parallel_map(abs, [-1, 2, -3], workers=2)
    [1, 2, 3]
    """
    if workers < 1:
        raise ValueError(f'`workers` must be at least 1, got {workers}')
    with ThreadPoolExecutor(workers) as pool:
        try:
            return list(_with_progress(pool.map(function, items), len(items), what))
        finally:  # Ctrl-C need not wait for what has not begun
            pool.shutdown(wait=False, cancel_futures=True)


def _with_progress(
    results: Iterable[Result], total: int, what: str
) -> Iterator[Result]:
    """The results as they come; says how many there are and how long it will take."""
    on_screen = sys.stderr.isatty()
    pause = SECONDS_ON_SCREEN if on_screen else SECONDS_IN_A_LOG
    start = shown = time.monotonic()
    for done, result in enumerate(results, 1):
        yield result
        now = time.monotonic()
        if now - shown < pause and done < total:
            continue
        shown = now
        left = _clock((now - start) * (total - done) / done)
        line = f'{what}: {done}/{total}, {_clock(now - start)}, {left} left'
        end = '\n' if done == total or not on_screen else ''
        start_of_line = '\r' if on_screen else ''
        print(f'{start_of_line}{line}', end=end, file=sys.stderr, flush=True)


def _clock(seconds: float) -> timedelta:
    return timedelta(seconds=round(seconds))
