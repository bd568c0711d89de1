"""Compare random configurations with the references: `python -m tests.fuzz`.

Exit status 1 and a line that repeats the case for each that differs.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import torch

from tests.fuzz import diverged, losses, measures
from tests.fuzz.draws import Options, Rng

# How often each is drawn, of a hundred.
SUBJECTS: dict[Callable[[Rng, Options], None], int] = {
    losses.losses: 38,
    losses.taught: 18,
    measures.formulas: 10,
    measures.labels: 6,
    measures.bins: 5,
    measures.scores: 5,
    measures.metric: 5,
    measures.areas: 3,
    measures.teachers: 4,
    diverged.diverged: 3,
    diverged.diverged_teacher: 2,
    diverged.diverged_scores: 1,
}


def run_case(seed: int, number: int) -> tuple[str, Exception | None, Options]:
    """One case: its subject, what was wrong if anything, and what it drew."""
    rng = np.random.default_rng([seed, number])
    note: Options = {}
    share = np.array(list(SUBJECTS.values()))
    subject = list(SUBJECTS)[rng.choice(len(share), p=share / share.sum())]
    try:
        subject(rng, note)
    except Exception as error:  # a crash is a finding too
        return subject.__name__, error, note
    return subject.__name__, None, note


def run(seed: int, numbers: Iterable[int], every: int) -> int:
    """Run the cases, print progress each `every` of them; how many failed."""
    start, done, failed = time.monotonic(), Counter(), 0
    for number in numbers:
        name, error, note = run_case(seed, number)
        done[name] += 1
        if error is not None:
            failed += 1
            print(f'{name}: {type(error).__name__}: {error}')
            print(f'    {note}')
            print(f'    python -m tests.fuzz --seed {seed} --only {number}', flush=True)
        if done.total() % every == 0:
            seconds = time.monotonic() - start
            print(f'{done.total()} cases, {failed} failed, {seconds:.0f} s', flush=True)
    print(', '.join(f'{name} {count}' for name, count in sorted(done.items())))
    print(f'{done.total()} cases, seed {seed}, {failed} failed')
    return failed


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog='python -m tests.fuzz', description=__doc__)
    parser.add_argument('--cases', type=int, default=10_000, help='how many')
    parser.add_argument('--seed', type=int, default=0, help='of all of them')
    parser.add_argument('--only', type=int, metavar='CASE', help='repeat this one')
    args = parser.parse_args()
    torch.set_num_threads(1)
    numbers = range(args.cases) if args.only is None else [args.only]
    return int(run(args.seed, numbers, every=500) > 0)


if __name__ == '__main__':
    sys.exit(main())
