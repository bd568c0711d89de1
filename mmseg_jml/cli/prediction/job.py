"""Predict images one after another; a failure does not end the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.utils import track_iter_progress

from ...datasets.reading import Reader
from .images import Images
from .index import Content, Index
from .maps import Maps, predict
from .output import Output
from .tiles import Tiling


class Job(NamedTuple):
    """Reads, predicts and writes images."""

    model: Any
    transform: Callable[[dict], dict]  # the test pipeline, without labels
    reader: Reader  # of images to be looked at
    tiling: Tiling | None
    output: Output

    def run(
        self, images: Images, todo: Sequence[Path], index: Index
    ) -> dict[Path, str]:
        """Write the maps of each image, record it in the index, report failures.

        Returns:
            The reasons why images were not predicted, by their names.
        """
        failed = {}
        index.forget(todo)
        try:
            for name in track_iter_progress(todo):
                reason = self._one(name, images.root / name, index)
                if reason:
                    failed[name] = reason
        finally:
            index.save()
        return failed

    def _one(self, name: Path, path: Path, index: Index) -> str:
        """Predict one image; return why this failed, or ''."""
        try:
            content = Content.of(path)
            sample = self.transform({'img_path': str(path), 'seg_fields': []})
        except Exception as error:  # decoders raise what they like on broken files
            return f'it cannot be read: {_told(error)}'
        try:
            maps = self._predicted(sample)
        except Exception as error:  # of this image, it may be: the others go on
            return self._reason(error)
        try:
            self._write(name, maps, path)
        except (ValueError, MemoryError) as error:  # not OSError: the disk is full
            return self._reason(error)
        index.add(name, content)
        return ''

    def _predicted(self, sample: dict[str, Any]) -> Maps:
        return predict(self.model, sample, self.tiling)

    def _write(self, name: Path, maps: Maps, path: Path) -> None:
        self.output.write(
            name,
            maps,
            path,
            self.model.dataset_meta,
            lambda: self.reader.rgb({'img_path': str(path)}),
        )

    def _reason(self, error: Exception) -> str:
        if not _is_memory(error):
            return _told(error)
        advice = 'smaller tiles' if self.tiling else 'tiles, for example `--tile 1024`'
        return f'there is not enough memory; try {advice} ({_told(error)})'


def _told(error: Exception) -> str:
    return f'{type(error).__name__}: {error}'


def _is_memory(error: Exception) -> bool:
    # PyTorch has no type of its own for the memory of the CPU.
    of_cpu = 'not enough memory' in str(error) or "can't allocate memory" in str(error)
    return of_cpu or isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError))
