"""Processes that meet a fault: forks of this one, which need not import anything."""

import contextlib
import gc
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine.config import config

from mmseg_jml.cli.launch import run_training
from tests.processes import ROOT

ALWAYS = 0
TINY = ROOT / 'tests' / 'tools' / 'tiny.py'


def start(job: Callable[[], object], log: Path) -> int:
    """The id of a process that does the job; what it says goes to `log`."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        with log.open('w') as said:
            for stream in (sys.__stdout__, sys.__stderr__):
                os.dup2(said.fileno(), stream.fileno())
            sys.stdout = sys.stderr = said
            warnings.simplefilter('default')  # as a process that pytest does not watch
            gc.freeze()  # what was imported is no rubbish: not to be looked at again
            # Half of a short training's time is to make its config's text pretty.
            config.FormatCode = lambda text, **_: (text, True)
            try:
                job()
                status = 0
            except BaseException as error:
                if isinstance(error, SystemExit):  # a sentence
                    print(error.code)
                traceback.print_exc()
    finally:
        os._exit(status)


def finish(child: int, seconds: float = 120) -> int:
    """How a child ended: its status, or minus the signal; killed if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise TimeoutError(f'process {child} did not end within {seconds} s')


def run(job: Callable[[], object], log: Path) -> int:
    """Do a job in a process of its own; how that ended."""
    return finish(start(job, log))


def training(folder: Path, *options: str, flags: tuple[str, ...] = ()) -> None:
    """Train tests/tools/tiny.py in `folder`."""
    arguments = [str(TINY), '--work-dir', str(folder), *flags]
    run_training([*arguments, '--cfg-options', *options])


def die(*_: object, **__: object) -> None:
    """End this process as no handler can notice."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def instead(owner: object, name: str, call: int, fault: Callable) -> Iterator[None]:
    """Let the `call`-th call (from 1, or ALWAYS) of a function be one of `fault`."""
    function, calls = getattr(owner, name), iter(range(1, sys.maxsize))

    def counted(*args: object, **kwargs: object) -> object:
        chosen = fault if call in (ALWAYS, next(calls)) else function
        return chosen(*args, **kwargs)

    setattr(owner, name, counted)
    try:
        yield
    finally:
        setattr(owner, name, function)
