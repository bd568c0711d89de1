"""Time and memory of a call."""

import ctypes
import itertools
import statistics
import time
from collections.abc import Callable

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_pages() -> None:
    """Keep freed memory with the process, as CUDA's caching allocator does (glibc)."""
    libc = ctypes.CDLL('libc.so.6')
    for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
        libc.mallopt(option, 2**31 - 1)


def release_freed_pages() -> None:
    """Give freed memory back, also where it is kept (glibc)."""
    ctypes.CDLL('libc.so.6').malloc_trim(0)


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def interleaved(
    calls: dict[str, Callable[[], None]],
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
) -> dict[str, list[float]]:
    """Seconds of each call, one of each a round; slow ones stop at `seconds`.

    Interleaving gives every call the same share of a machine's good and bad moments.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):  # the first round warms up
        for name, call in calls.items():
            if len(times[name]) >= 3 and sum(times[name]) > seconds:
                continue
            progress(f'round {number}/{rounds} {name}')
            synchronize()
            start = time.perf_counter()
            call()
            synchronize()
            if number:
                times[name].append(time.perf_counter() - start)
    return times


def spread(values: list[float]) -> tuple[float, float]:
    """Median and interquartile range."""
    if len(values) < 2:
        return values[0], 0.0
    first, _, third = statistics.quantiles(values, n=4)
    return statistics.median(values), third - first


def peak_bytes(call: Callable[[], None]) -> int:
    """The most memory a call held beyond what it found.

    On the CPU from the allocator's own events: the pages of a process say nothing while
    freed ones are kept.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        call()
    events = profile.profiler.kineto_results.events()
    changes = [(each.start_ns(), each.nbytes()) for each in events if each.nbytes()]
    held = itertools.accumulate(size for _, size in sorted(changes))
    return max(held, default=0)
