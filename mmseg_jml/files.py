"""Write files completely or not at all, even if the process is killed."""

import contextlib
import csv
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class UnreadableError(ValueError):
    """A file is damaged, incomplete or of the wrong kind; the message names it."""


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path that replaces `path` when the block ends without an error.

    It is in the same folder, which is created if necessary, and has the same suffix, by
    which writers choose the format. After an error `path` is unchanged.

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
    """Write a file completely or not at all.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / 'a.txt'
    >>> write_whole(path, b'text')
    >>> path.read_text()
    'text'
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file completely or not at all.

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


class Walk(NamedTuple):
    """The files in a folder and its subfolders; their paths begin with the folder."""

    files: list[Path]  # sorted
    loops: list[Path]  # links to a folder that they lie in, which were not followed
    unreadable: dict[Path, str]  # folders that could not be listed, and why


def walk_files(folder: str | Path) -> Walk:
    """Find the files in a folder and its subfolders, and follow links.

    Files whose name begins with a dot are left out. A link to a missing file counts as
    a file.

    >>> from tempfile import mkdtemp
    >>> folder = Path(mkdtemp())
    >>> (folder / 'link').symlink_to(folder)
    >>> write_whole(folder / 'a.txt', b'text')
    >>> walk = walk_files(folder)
    >>> [path.name for path in walk.files], [path.name for path in walk.loops]
    (['a.txt'], ['link'])
    """
    walk = Walk([], [], {})
    _walk_into(Path(folder), (), walk)
    walk.files.sort()
    return walk


def _walk_into(folder: Path, above: tuple[tuple[int, int], ...], walk: Walk) -> None:
    try:
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            walk.loops.append(folder)
            return
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        walk.unreadable[folder] = error.strerror or str(error)
        return
    for entry in entries:
        if entry.is_dir():
            _walk_into(Path(entry.path), (*above, here), walk)
        elif not entry.name.startswith('.') and (entry.is_file() or entry.is_symlink()):
            walk.files.append(Path(entry.path))


def require_writable(folder: Path, name: str) -> None:
    """Raise if a folder cannot be created or written to, before any work is done.

    A missing folder is not created.

    Raises:
        OSError: It cannot be written to; the message begins with `name`.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        with tempfile.TemporaryFile(dir=_made(folder)):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f'{name}: cannot write to {folder}: {reason}') from error
    finally:
        for each in made:
            with contextlib.suppress(OSError):
                each.rmdir()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of the content of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
