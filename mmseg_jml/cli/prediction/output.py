"""Write the maps of one image as PNG, NPZ or GeoTIFF, and an overlay to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from ...files import whole_file
from .georeference import write_geotiffs
from .maps import Maps
from .overlay import overlay

MAPS = ('prediction', 'confidence', 'entropy')
SIXTEEN_BITS = 65535


class Output(NamedTuple):
    """The files that are written for each image."""

    folder: Path
    format: Literal['png', 'npz', 'tif']
    overlay: bool = False

    def maps(self, name: Path) -> list[Path]:
        """The files of the maps of an image: one file, or one for each of MAPS."""
        if self.format == 'npz':
            return [(self.folder / name).with_suffix('.npz')]
        suffix = f'.{self.format}'
        return [(self.folder / what / name).with_suffix(suffix) for what in MAPS]

    def files(self, name: Path) -> list[Path]:
        """All the files of an image."""
        drawn = [self.overlay_file(name)] if self.overlay else []
        return [*self.maps(name), *drawn]

    def overlay_file(self, name: Path) -> Path:
        """The file of the overlay of an image."""
        return (self.folder / 'overlay' / name).with_suffix('.png')

    def write(
        self,
        name: Path,
        maps: Maps,
        source: Path,
        meta: dict[str, Any],
        read_rgb: Callable[[], np.ndarray],
    ) -> None:
        """Write the files of one image, each whole or not at all.

        Args:
            name: The image's path, relative to the root.
            maps: The predicted maps.
            source: The image, whose georeference a GeoTIFF keeps.
            meta: `classes` and `palette`.
            read_rgb: Returns the image (H,W,3) for the overlay.
        """
        classes, palette = meta.get('classes') or (), meta.get('palette')
        palette = [] if palette is None else [list(colour) for colour in palette]
        if self.format == 'npz':
            _write_npz(*self.maps(name), maps, classes, palette)
        elif self.format == 'tif':
            write_geotiffs(self.maps(name), maps, source, palette)
        else:
            _write_pngs(self.maps(name), maps, palette)
        if self.overlay:
            image = overlay(read_rgb(), maps.prediction, classes, palette)
            with whole_file(self.overlay_file(name)) as temporary:
                image.save(temporary)


def _write_npz(
    path: Path, maps: Maps, classes: Sequence[str], palette: Sequence[Sequence[int]]
) -> None:
    with whole_file(path) as temporary:
        np.savez_compressed(
            temporary, **maps._asdict(), classes=list(classes), palette=palette
        )


def _write_pngs(
    paths: Sequence[Path], maps: Maps, palette: Sequence[Sequence[int]]
) -> None:
    images = (
        coloured(maps.prediction, palette),
        grey(maps.confidence),
        grey(maps.entropy / np.float32(np.log(maps.num_classes))),
    )
    for path, image in zip(paths, images, strict=True):
        with whole_file(path) as temporary:
            image.save(temporary)


def coloured(ids: np.ndarray, palette: Sequence[Sequence[int]]) -> Image.Image:
    """An image whose values are the ids, and which viewers show in colour."""
    image = Image.fromarray(ids)
    if len(palette) and ids.dtype == np.uint8:
        image.putpalette([channel for colour in palette for channel in colour])
    return image


def grey(values: np.ndarray) -> Image.Image:
    """Values in [0, 1] as 16-bit grey."""
    return Image.fromarray(np.round(values.clip(0, 1) * SIXTEEN_BITS).astype(np.uint16))
