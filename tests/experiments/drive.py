"""Run a plan by the local runner, without the command line's wait for MMSegmentation.

`python tests/experiments/drive.py PLAN JOBS`.
"""

import signal
import sys
from pathlib import Path

from mmseg_jml.cli.benchmark import signals_interrupt
from mmseg_jml.experiments.run.execution import execute
from mmseg_jml.experiments.run.runner import Runner
from tests.experiments.stubs import runs_of

if __name__ == '__main__':
    # A job that a shell starts in the background ignores Ctrl-C, and hands that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runner = Runner(
        runs_of(Path(sys.argv[1])),
        lambda run, place, say: execute(run, say=say),
        jobs=int(sys.argv[2]),
    )
    with signals_interrupt():
        sys.exit(0 if runner.run() else 1)
