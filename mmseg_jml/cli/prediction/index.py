"""The index of an output folder: the image that each output was made from."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from ...files import sha256_of, write_whole

INDEX = 'index.json'
SAVE_EVERY = 10.0  # seconds: to write it after each of many images takes too long


class Content(NamedTuple):
    """A fingerprint of the content of a file."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Content:
        """The current content of a file."""
        return cls(path.stat().st_size, sha256_of(path))


class Index:
    """The rows of `index.json`: the image of each output, and the image's content.

    An output counts as finished once its row is saved. So a row is removed before its
    files are written again, and an interrupted run repeats the last few images.

    Args:
        folder: The folder of the outputs.
        made_by: Everything that all outputs depend on besides the image.

    Raises:
        ValueError: The folder has outputs that depend on something else, or its
            `index.json` is another kind of file.
    """

    def __init__(self, folder: Path, made_by: dict[str, Any]) -> None:
        self.path = folder / INDEX
        self.made_by = made_by
        self.rows: dict[str, dict[str, Any]] = {}
        self._saved = float('-inf')
        if self.path.exists():
            self.rows = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self.path.read_text(encoding='utf-8'))
            before, rows = dict(found['made_by']), dict(found['outputs'])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f'{self.path} is not an index of predictions: choose another `--out`'
            ) from error
        keys = {**self.made_by, **before}
        changed = [key for key in keys if before.get(key) != self.made_by.get(key)]
        if changed and rows:
            raise ValueError(
                f'{self.path.parent} has predictions that were made with another '
                f'{" and ".join(changed)}: choose another `--out`, or delete the folder'
            )
        return rows

    def is_current(self, name: Path, path: Path) -> bool:
        """Whether the output of an image was made from its current content."""
        row = self.rows.get(_key(name))
        if row is None or row.get('image') != name.as_posix() or not path.is_file():
            return False
        if row.get('bytes') != path.stat().st_size:
            return False
        return row.get('sha256') == sha256_of(path)

    def forget(self, names: list[Path]) -> None:
        """Remove the rows of outputs that will be written again, and save."""
        for name in names:
            self.rows.pop(_key(name), None)
        self.save()

    def add(self, name: Path, content: Content) -> None:
        """Record what an output was made from, after its files are written."""
        self.rows[_key(name)] = {'image': name.as_posix(), **content._asdict()}
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write the index, whole or not at all."""
        rows = {key: self.rows[key] for key in sorted(self.rows)}
        text = json.dumps({'made_by': self.made_by, 'outputs': rows}, indent=1)
        write_whole(self.path, f'{text}\n'.encode())
        self._saved = time.monotonic()


def _key(name: Path) -> str:
    return name.with_suffix('').as_posix()
