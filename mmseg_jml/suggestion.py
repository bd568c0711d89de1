"""Suggest the known word that a misspelled one was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """A question that names the known word nearest to `word`, '' if none is near.

    >>> did_you_mean('--work_dir', ['--work-dir', '--resume'])
    " (did you mean '--work-dir'?)"
    >>> did_you_mean('--zzz', ['--work-dir', '--resume'])
    ''
    """
    near = difflib.get_close_matches(str(word), map(str, known), n=1)
    return f' (did you mean {near[0]!r}?)' if near else ''
