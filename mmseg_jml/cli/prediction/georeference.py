"""GeoTIFFs of the maps, which lie on the ground where the image does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...files import whole_file
from .maps import Maps


def require_rasterio() -> None:
    """Refuse to go on without rasterio.

    Raises:
        ImportError: It is not installed; the message says how to install it.
    """
    try:
        import rasterio  # noqa: F401
    except ImportError as error:
        raise ImportError(
            '`--format tif` needs rasterio: `pip install rasterio`'
        ) from error


def georeference(source: Path, size: tuple[int, int]) -> dict[str, Any]:
    """Where an image lies: `crs`, `transform`, `gcps` and `rpcs`, those that it has.

    Empty for a file that has none, or that GDAL cannot read.

    Raises:
        ValueError: The maps are not of the image's size, so that they would lie
            elsewhere.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

    with warnings.catch_warnings():
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        try:
            image = rasterio.open(source)
        except RasterioIOError:
            return {}
        with image:
            points, points_crs = image.gcps
            found = {
                'crs': image.crs or points_crs,
                'transform': None if image.transform.is_identity else image.transform,
                'gcps': points or None,
                'rpcs': image.rpcs,
            }
            found = {key: value for key, value in found.items() if value}
            if found and image.shape != size:
                raise ValueError(
                    f'the file has {image.shape} rows and columns and the maps {size}: '
                    'the pipeline turns or cuts the image, so its georeference does '
                    'not hold for them'
                )
    return found


def write_geotiffs(
    paths: Sequence[Path],
    maps: Maps,
    source: Path,
    palette: Sequence[Sequence[int]],
) -> None:
    """Write class ids with their colours, confidence, and entropy in nats.

    Args:
        paths: A file for each of the three.
        maps: What was predicted.
        source: The image, whose georeference is kept.
        palette: RGB of each class.
    """
    place = georeference(source, maps.prediction.shape)
    values = (maps.prediction, maps.confidence, maps.entropy)
    for path, array in zip(paths, values, strict=True):
        colours = palette if array.dtype == np.uint8 else ()
        with whole_file(path) as temporary:
            _write(temporary, array, place, colours)


def _write(
    path: Path,
    array: np.ndarray,
    place: dict[str, Any],
    palette: Sequence[Sequence[int]],
) -> None:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    profile = {
        'driver': 'GTiff',
        'height': array.shape[0],
        'width': array.shape[1],
        'count': 1,
        'dtype': array.dtype,
        'compress': 'deflate',
        'tiled': array.shape[0] >= 256 <= array.shape[1],
        'bigtiff': 'if_safer',
    }
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        with rasterio.open(path, 'w', **profile, **place) as file:
            file.write(array, 1)
            if len(palette):
                colours = {i: (*map(int, rgb), 255) for i, rgb in enumerate(palette)}
                file.write_colormap(1, colours)
