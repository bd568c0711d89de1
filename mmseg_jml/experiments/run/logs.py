"""Read the training log of MMEngine, which has one folder for each attempt."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

SCALARS = 'vis_data/scalars.json'
SECONDS_PER_HOUR = 3600
MODELS = ('', 'ema/', 'student/')  # a SemiEvaluator says whose a figure is

Line = dict[str, Any]


class Log(NamedTuple):
    """The lines of one training run, sorted by step, without repeated steps.

    The steps of training are iterations. So are those of validation, unless training
    lines have epochs: then they are epochs.
    """

    train: list[Line]
    val: list[Line]

    @property
    def by_epoch(self) -> bool:
        """Whether the steps of validation are epochs."""
        return any('epoch' in line for line in self.train)


def read_log(work_dir: Path) -> Log:
    """The log of a training run over all its attempts.

    A resumed attempt repeats the steps after the checkpoint that it started from. Its
    lines replace those of the earlier attempts from there on.

    >>> read_log(Path('nowhere'))
    Log(train=[], val=[])
    """
    log = Log([], [])
    # Folders are named by the time of their attempt.
    for path in sorted(work_dir.glob(f'*/{SCALARS}')):
        log = _continue(log, _read_lines(path))
    return log


def _continue(earlier: Log, lines: Sequence[Line]) -> Log:
    # MMEngine names the iteration in training lines alone.
    train = sorted((line for line in lines if 'iter' in line), key=_step)
    val = sorted((line for line in lines if 'iter' not in line), key=_step)
    kept, validated = earlier
    if train:
        first = train[0]
        kept = [line for line in kept if line['step'] < first['step']]
        begin = first.get('epoch', first['step'])
        validated = [line for line in validated if line['step'] < begin]
    return Log([*kept, *train], [*validated, *val])


def _step(line: Line) -> int:
    return line['step']


def _read_lines(path: Path) -> list[Line]:
    """The lines with a step. A killed process may leave an incomplete last line."""
    lines = []
    for text in path.read_text(encoding='utf-8').splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict) and 'step' in line:
            # `log_with_hierarchy` puts the mode in front.
            lines.append(
                {
                    key.removeprefix('train/').removeprefix('val/'): value
                    for key, value in line.items()
                }
            )
    return lines


def training_hours(log: Log) -> float | None:
    """The hours of training, with each iteration counted once, without validation.

    A line has the mean seconds of its last iterations, which are ten in MMEngine. It is
    used for all iterations since the previous line.

    >>> lines = [{'step': 50, 'time': 2.0}, {'step': 100, 'time': 5.2}]
    >>> training_hours(Log(lines, []))
    0.1
    """
    seconds, before = 0.0, 0
    for line in log.train:
        if 'time' in line:
            seconds += line['time'] * (line['step'] - before)
            before = line['step']
    return seconds / SECONDS_PER_HOUR if before else None


def peak_memory(log: Log) -> float | None:
    """The peak memory of the accelerator in the log, in megabytes."""
    return max((line['memory'] for line in log.train if 'memory' in line), default=None)
