"""A TIFF file in words."""

import numpy as np
import pytest

from mmseg_jml.datasets.tiff import describe_tiff, is_tiff
from tests.datasets.tiffs import noise, write_tiff


@pytest.mark.parametrize('big', [False, True], ids=['classic', 'big'])
@pytest.mark.parametrize(
    ('bands', 'kind', 'options', 'words'),
    [
        (1, np.uint8, {}, 'TIFF, 1 band of 8 bits'),
        (1, np.float32, {}, 'TIFF, 1 band of 32 bits (float)'),
        (5, np.uint16, {}, 'TIFF, 5 bands of 16 bits'),
        (
            3,
            np.uint8,
            {'planar': True},
            'TIFF, 3 bands of 8 bits, one band after the other (planar)',
        ),
        (
            4,
            np.uint16,
            {'alpha': True},
            'TIFF, 4 bands of 16 bits, band 4 tagged as alpha',
        ),
        (4, np.uint16, {}, 'TIFF, 4 bands of 16 bits'),
        (3, np.uint8, {'pages': 3}, 'TIFF, 3 bands of 8 bits, 3 pages'),
    ],
)
def test_bands_bits_planes_alpha_and_pages_are_told(
    tmp_path, bands, kind, options, words, big
):
    write_tiff(tmp_path / 'a.tif', noise(4, 6, bands, kind), big=big, **options)
    assert describe_tiff(str(tmp_path / 'a.tif')) == words


@pytest.mark.parametrize('content', [b'', b'II*\0', b'II*\0\xff\xff\0\0', b'nothing'])
def test_a_broken_header_is_said_to_be_one(tmp_path, content):
    (tmp_path / 'a.tif').write_bytes(content)
    assert describe_tiff(str(tmp_path / 'a.tif')).startswith(
        'TIFF with a broken header'
    )


def test_a_tiff_is_known_by_its_name(tmp_path):
    (tmp_path / 'a.TIF').touch()
    assert is_tiff(str(tmp_path / 'a.TIF'))
    assert not is_tiff(str(tmp_path / 'b.tif'))
    assert not is_tiff(str(tmp_path / 'a.png'))
