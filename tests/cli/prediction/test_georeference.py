"""GeoTIFFs of the maps lie where the image lies."""

import warnings

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin

from mmseg_jml.cli.prediction.georeference import georeference, write_geotiffs
from mmseg_jml.cli.prediction.maps import Maps

PALETTE = [[1, 2, 3], [40, 50, 60], [7, 8, 9]]
PLACES = {
    'transform': {
        'crs': 'EPSG:32633',
        'transform': from_origin(500000.0, 5800000.0, 0.5, 0.25),
    },
    'points': {
        'crs': 'EPSG:4326',
        'gcps': [
            GroundControlPoint(row=r, col=c, x=x, y=y)
            for r, c, x, y in ((0, 0, 13.0, 52.0), (0, 30, 13.1, 52.0), (20, 0, 13, 51))
        ],
    },
}


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    confidence, entropy = rng.uniform(0.3, 1, (2, 20, 30)).astype(np.float32)
    return Maps(rng.integers(0, 3, (20, 30)).astype(np.uint8), confidence, entropy, 3)


def write_image(path, size=(20, 30), **place):
    profile = {'driver': 'GTiff', 'count': 3, 'dtype': 'uint8'}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with rasterio.open(
            path, 'w', height=size[0], width=size[1], **profile, **place
        ) as file:
            file.write(np.zeros((3, *size), np.uint8))
    return path


def written(folder, maps, source):
    paths = [folder / what / 'a.tif' for what in ('prediction', 'confidence', 'e')]
    write_geotiffs(paths, maps, source, PALETTE)
    return paths


@pytest.mark.parametrize('place', PLACES)
def test_the_maps_keep_the_georeference(tmp_path, maps, place):
    source = write_image(tmp_path / 'a.tif', **PLACES[place])
    expected = georeference(source, (20, 30))
    assert expected['crs'].to_string() == PLACES[place]['crs']
    for path in written(tmp_path, maps, source):
        found = georeference(path, (20, 30))
        assert found['crs'] == expected['crs']
        assert found.get('transform') == expected.get('transform')
        points = [
            [(p.row, p.col, p.x, p.y) for p in each.get('gcps') or ()]
            for each in (found, expected)
        ]
        assert points[0] == points[1]


def test_the_maps_hold_the_values_and_the_colours(tmp_path, maps):
    source = write_image(tmp_path / 'a.tif', **PLACES['transform'])
    paths = written(tmp_path, maps, source)
    for path, values in zip(paths, maps[:3], strict=True):
        with rasterio.open(path) as file:
            assert file.dtypes == (str(values.dtype),)
            np.testing.assert_array_equal(file.read(1), values)
    with rasterio.open(paths[0]) as file:
        assert file.colormap(1)[1] == (40, 50, 60, 255)


def test_an_image_without_georeference_gives_maps_without(tmp_path, maps):
    Image.new('RGB', (30, 20)).save(tmp_path / 'a.png')
    for path in written(tmp_path, maps, tmp_path / 'a.png'):
        assert georeference(path, (20, 30)) == {}


def test_maps_of_another_size_are_refused(tmp_path, maps):
    source = write_image(tmp_path / 'a.tif', (30, 20), **PLACES['transform'])
    with pytest.raises(ValueError, match='its georeference is not valid'):
        written(tmp_path, maps, source)
