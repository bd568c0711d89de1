"""Files that are whole or not there: a killed process leaves nothing half-written."""

import contextlib
import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any


class UnreadableError(ValueError):
    """A file is damaged, not whole, or not what it should be; the message names it."""


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` when the block ends well.

    It lies in the same folder, which is made where it is missing, and has the same
    suffix, which writers choose the format by. After an error `path` is as it was.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with whole_file(folder / 'new' / 'a.txt') as temporary:
    ...     _ = temporary.write_text('all of it')
    >>> [path.name for path in (folder / 'new').iterdir()]
    ['a.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # One name: what a killed process left is written over by the next.
    temporary = path.with_name(f'.{path.stem}.part{path.suffix}')
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / 'a.txt'
    >>> write_whole(path, b'text')
    >>> path.read_text()
    'text'
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write a table that is there whole or not at all.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / 'a.csv'
    >>> write_csv(path, [['name', 'mIoU'], ['a', 50.0]])
    >>> path.read_text().splitlines()
    ['name,mIoU', 'a,50.0']
    """
    with (
        whole_file(path) as temporary,
        temporary.open('w', newline='', encoding='utf-8') as file,
    ):
        csv.writer(file).writerows(rows)
