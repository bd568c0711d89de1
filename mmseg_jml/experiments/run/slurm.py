"""Submit runs as Slurm jobs with submitit."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cells import Run
from .execution import Say, execute
from .state import now, read_state, write_state

if TYPE_CHECKING:
    from submitit import AutoExecutor
    from submitit.helpers import DelayedSubmission

PAUSE = 0.2  # seconds between two looks at the processes of a job
DAY = 24 * 60  # minutes
TIMEOUTS = 30  # that a job goes on after; submitit's own 3 end a long training
FOLDER = 'jobs'  # what submitit writes, in the work dir


class Job:
    """A Slurm job that does one run.

    A job that reaches its time limit, or is preempted, is queued again and continues.
    """

    def __init__(self, run: Run, gpus: int) -> None:
        self.run = run
        self.gpus = gpus

    def __call__(self) -> None:
        """Train and test the run."""
        for _ in execute(self.run, gpus=self.gpus, say=print):
            time.sleep(PAUSE)

    def checkpoint(self) -> DelayedSubmission:
        """Let submitit queue the job again; the run finds its own checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def make_executor(
    work_dir: Path,
    partition: str,
    *,
    gpus: int = 1,
    options: Sequence[str] = (),
    cluster: str = 'slurm',
) -> AutoExecutor:
    """Create the submitit executor that jobs are submitted to.

    Args:
        work_dir: the work dir of the plan, on a file system that all nodes share.
        partition: the Slurm partition.
        gpus: the number of GPUs of each job.
        options: submitit options such as 'timeout_min=600' or 'slurm_account=name'.
        cluster: 'local' runs the jobs on this machine, for tests.

    Raises:
        ImportError: submitit is not installed.
        ValueError: submitit does not know an option, or there is no Slurm here.
    """
    try:
        from submitit import AutoExecutor
    except ImportError as error:
        raise ImportError('`--slurm` needs submitit: `pip install submitit`') from error
    chosen = {'gpus_per_node': gpus, 'slurm_partition': partition, 'timeout_min': DAY}
    chosen |= _parameters(options)
    try:
        executor = AutoExecutor(
            work_dir / FOLDER, cluster=cluster, slurm_max_num_timeout=TIMEOUTS
        )
        executor.update_parameters(**chosen)
    except (AssertionError, NameError, RuntimeError) as error:
        raise ValueError(f'submitit: {error}') from error
    return executor


def _parameters(options: Sequence[str]) -> dict[str, Any]:
    pairs = [option.partition('=') for option in options]
    for key, equals, value in pairs:
        if not (key and equals and value):
            raise ValueError(
                f'`--slurm-options` must be of the form KEY=VALUE, got {key + equals!r}'
            )
    return {key: int(v) if v.isdecimal() else v for key, _, v in pairs}


def submit(
    executor: AutoExecutor, run: Run, *, gpus: int, say: Say
) -> Generator[None, None, None]:
    """Submit a run as a job; closing the iterator cancels the job.

    If the job was killed before it could record its outcome, this records it instead.
    """
    attempts = read_state(run.folder).get('attempts')
    executor.update_parameters(name=run.name.replace('/', '_'))
    job = executor.submit(Job(run, gpus))
    say(f'was submitted as job {job.job_id}')
    try:
        while not job.done():
            yield
    finally:
        if not job.done():
            job.cancel()
    state = read_state(run.folder)
    # A job that died before it began leaves the end of an earlier one.
    failed = state.get('state') == 'failed' and state.get('attempts') != attempts
    if state.get('state') != 'done' and not failed:
        reason = f'job {job.job_id} ended ({job.state}):\n{job.stderr() or ""}'
        state = {'cell': run.cell.name, 'seed': run.seed, 'fold': run.fold} | state
        state |= {'state': 'failed', 'reason': reason.strip(), 'finished': now()}
        write_state(run.folder, state)
