"""Write the maps as GeoTIFFs with the georeference of the image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...files import whole_file
from .maps import Maps


def require_rasterio() -> None:
    """Raise if rasterio is not installed.

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
    """The georeference of an image: those of `crs`, `transform`, `gcps`, `rpcs` it has.

    It is empty for a file without any, or that GDAL cannot read.

    Raises:
        ValueError: The size of the maps differs from that of the image, so the
            georeference would be wrong.
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
                    f'the file has {image.shape} rows and columns, but the maps have '
                    f'{size}: the pipeline rotates or crops the image, so its '
                    'georeference is not valid for the maps'
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
        paths: The files of the three maps.
        maps: The predicted maps.
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
