"""Start the missing runs of a plan, teachers first, and report the progress."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from statistics import mean

from ...checkpoints import latest_checkpoint
from ...schedule import remark_on_length
from . import settings
from .cells import (
    Run,
    config,
    differences,
    is_trained,
    shown,
    to_test,
    to_train,
)
from .execution import Say
from .state import OUTPUT, read_state

PAUSE = 0.2  # seconds between two looks at what runs
CHANGES = 5  # named in one message
Start = Callable[[Run, int, Say], Generator[None, None, None]]


def check(runs: Sequence[Run]) -> None:
    """Raise if a run cannot work or would mix two trainings in one folder.

    Raises:
        FileNotFoundError: a config does not exist.
        ValueError: a config or an override is wrong, or a folder has a training run of
            another config.
    """
    for run in runs:
        cfg = config(run)
        to_train(run, cfg)
        # Without a checkpoint or a result nothing is there that could be mixed.
        begun = latest_checkpoint(run.folder) is not None or is_done(run)
        found = differences(run, cfg) if begun else []
        if found:
            named = '\n    '.join(found[:CHANGES] + ['...'] * (len(found) > CHANGES))
            raise ValueError(
                f'{run.folder} has a training run with another config than the plan:\n'
                f'    {named}\nChoose another `--work-dir` for the changed plan, or '
                'delete that folder'
            )


def remarks(runs: Sequence[Run]) -> list[str]:
    """One warning for each cell whose schedule does not fit its length."""
    found = {run.cell.name: remark_on_length(config(run)) for run in runs}
    return [f'cell {name!r}: {remark}' for name, remark in found.items() if remark]


def done_before(runs: Sequence[Run]) -> set[Path]:
    """The folders of finished runs; a teacher whose weights are gone must run again."""
    found = {run.folder for run in runs if is_done(run)}
    # Students first: a teacher that must be trained again may need its own.
    for run in reversed(runs):
        teacher = run.teacher and run.teacher.folder
        if teacher and run.folder not in found and latest_checkpoint(teacher) is None:
            found.discard(teacher)
    return found


def is_done(run: Run) -> bool:
    """Whether a run was trained and tested, according to its `run.json`."""
    return read_state(run.folder).get('state') == 'done'


def dry_run(runs: Sequence[Run], gpus: int = 1) -> Iterator[str]:
    """The lines of a shell script that does the missing runs."""
    finished = done_before(runs)
    for run in runs:
        done = run.folder in finished
        yield f'# {run.name}{": done" if done else ""}'
        if done:
            continue
        cfg, environment = config(run), settings.environment(run.fold)
        if not is_trained(run, cfg):
            yield shown(to_train(run, cfg, gpus), environment)
        yield shown(to_test(run, cfg, gpus), environment)


class Runner:
    """Starts runs when slots become free, and a student when its teacher is done.

    Args:
        runs: the runs, with teachers before their students.
        start: starts a run in one of the slots 0 to `jobs` - 1. It returns an iterator
            that ends when `run.json` has the outcome; closing it ends the run.
        jobs: the number of slots.
        after: called when a run has ended.
        say: called with each line of progress.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        start: Start,
        *,
        jobs: int = 1,
        after: Callable[[], None] = lambda: None,
        say: Say = print,
    ) -> None:
        self.runs = runs
        self.start = start
        self.jobs = jobs
        self.after = after
        self.say = say
        self.outcomes: dict[Path, str] = {}
        self._active: dict[int, tuple[Run, Generator[None, None, None]]] = {}
        self._seconds: dict[Path, float] = {}  # of the runs that are done

    def run(self) -> bool:
        """Do the missing runs; return whether everything is done."""
        finished = done_before(self.runs)
        for run in self.runs:
            if run.folder in finished:
                self._end(run)
        if self.outcomes:
            self.say(
                f'{len(self.outcomes)} of {len(self.runs)} runs were finished before'
            )
        try:
            self._fill()
            while self._active:
                time.sleep(PAUSE)
                self._advance()
                self._fill()
        finally:
            # Each is ended, also where the ending of another fails or is interrupted.
            with contextlib.ExitStack() as stack:
                for _, steps in self._active.values():
                    stack.callback(steps.close)
        return set(self.outcomes.values()) == {'done'}

    def table(self) -> str:
        """A table of the outcomes of the runs of each cell."""
        width = max(len(name) for name in ['cell', *(r.cell.name for r in self.runs)])
        lines = [f'{"cell":{width}}  done  failed  not run  hours']
        for name in dict.fromkeys(run.cell.name for run in self.runs):
            own = [run.folder for run in self.runs if run.cell.name == name]
            counts = [
                sum(self.outcomes.get(folder) == outcome for folder in own)
                for outcome in ('done', 'failed', 'not run')
            ]
            hours = sum(self._seconds.get(folder, 0) for folder in own) / 3600
            done, failed, missing = counts
            lines.append(
                f'{name:{width}}  {done:4}  {failed:6}  {missing:7}  {hours:5.2f}'
            )
        return '\n'.join(lines)

    def _fill(self) -> None:
        """Start the runs that can start, and give up those that never can."""
        active = {run.folder for run, _ in self._active.values()}
        for run in self.runs:
            if run.folder in self.outcomes or run.folder in active:
                continue
            teacher = self.outcomes.get(run.teacher.folder) if run.teacher else 'done'
            if run.teacher and teacher in ('failed', 'not run'):
                self.outcomes[run.folder] = 'not run'
                self._tell(run, f'is not run, because {run.teacher.name} failed')
                continue
            free = sorted(set(range(self.jobs)) - set(self._active))
            if teacher == 'done' and free:
                say = functools.partial(self._tell, run)
                steps = self.start(run, free[0], say)
                self._active[free[0]] = run, steps

    def _advance(self) -> None:
        for place, (run, steps) in list(self._active.items()):
            try:
                next(steps)
            except StopIteration:
                del self._active[place]
                self._end(run)
                self._tell(run, self._ending(run))
                self.after()

    def _end(self, run: Run) -> None:
        state = read_state(run.folder)
        self.outcomes[run.folder] = 'done' if state['state'] == 'done' else 'failed'
        # A training by hand took a time that nobody noted.
        if state['state'] == 'done' and state.get('train_seconds'):
            seconds = state['train_seconds'] + state['test_seconds']
            self._seconds[run.folder] = seconds

    def _ending(self, run: Run) -> str:
        state = read_state(run.folder)
        if self.outcomes[run.folder] == 'done':
            left = self._left()
            return f'is done{f"; about {left} left" if left else ""}'
        *_, last = (state.get('reason') or '').splitlines() or ['']
        return f'failed: {last.strip()} (see {run.folder / OUTPUT})'

    def _left(self) -> str:
        """An estimate of the remaining time from the finished runs; '' if unknown."""
        left = [run for run in self.runs if run.folder not in self.outcomes]
        if not (left and self._seconds):
            return ''
        known: dict[str, list[float]] = {}
        for run in self.runs:
            if run.folder in self._seconds:
                known.setdefault(run.cell.name, []).append(self._seconds[run.folder])
        overall = mean(self._seconds.values())
        seconds = sum(mean(known.get(run.cell.name, [overall])) for run in left)
        places = min(self.jobs, len(left))
        hours, minutes = divmod(round(seconds / places / 60), 60)
        return f'{hours} h {minutes} min'

    def _tell(self, run: Run, text: str) -> None:
        ended = len(self.outcomes)
        clock = datetime.now().strftime('%H:%M:%S')
        self.say(f'{clock} [{ended}/{len(self.runs)}] {run.name} {text}')
