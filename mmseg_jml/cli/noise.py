"""Hide messages that MMSegmentation prints at every start and that help nobody."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import warnings
from collections.abc import Iterator

# A dataset service that the onedl distribution looks for, and optional operators of
# mmcv: without them a model that uses them ends in an error of its own.
LINES = ('Could not import OneDL',)
WARNINGS = (
    'Fail to import ``MultiScaleDeformableAttention``',
    '``MultiScaleDeformableAttention`` has been moved',
)


@contextlib.contextmanager
def without_noise() -> Iterator[None]:
    """Hide the lines and warnings above; print everything else at the end.

    >>> with without_noise():
    ...     print('Could not import OneDL')
    ...     print('something else')
    something else
    """
    said = io.StringIO()
    with warnings.catch_warnings():
        for text in WARNINGS:
            warnings.filterwarnings('ignore', re.escape(text))
        try:
            with contextlib.redirect_stdout(said):
                yield
        finally:
            for line in said.getvalue().splitlines(keepends=True):
                if line.strip() not in LINES:
                    sys.stdout.write(line)
