"""Reading pictures and masks, writing files whole."""

import io

import numpy as np
import pytest
from PIL import Image

from mmseg_jml.datasets.files import (
    ColourMaskError,
    FractionError,
    png,
    read_mask,
)
from mmseg_jml.files import write_whole

IDS = np.arange(24, dtype=np.uint8).reshape(4, 6)


def noise(height=64, width=96):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def test_a_label_map_written_is_read_back(tmp_path):
    write_whole(tmp_path / 'a.png', png(IDS))
    mask = read_mask(str(tmp_path / 'a.png'))
    np.testing.assert_array_equal(mask.ids, IDS)
    assert mask.palette is None


def test_a_palette_is_read_with_its_ids(tmp_path):
    image = Image.fromarray(IDS).convert('P')
    image.putpalette([7, 8, 9] * 256)
    image.save(tmp_path / 'a.png')
    mask = read_mask(str(tmp_path / 'a.png'))
    np.testing.assert_array_equal(mask.ids, IDS)
    assert mask.palette[3].tolist() == [7, 8, 9]


def test_a_bilevel_mask_holds_0_and_1(tmp_path):
    Image.fromarray(IDS > 11).save(tmp_path / 'a.png')
    mask = read_mask(str(tmp_path / 'a.png'))
    np.testing.assert_array_equal(mask.ids, (IDS > 11).astype(np.uint8))
    assert mask.ids.dtype == np.uint8


def test_a_colour_mask_is_refused(tmp_path):
    noise().save(tmp_path / 'a.png')
    with pytest.raises(ColourMaskError, match=r'shape \(64, 96, 3\)'):
        read_mask(str(tmp_path / 'a.png'))


def test_a_missing_mask_is_told_from_a_broken_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.png is missing$'):
        read_mask(str(tmp_path / 'a.png'))
    (tmp_path / 'a.png').write_bytes(b'not an image')
    with pytest.raises(ValueError, match=r'mask .*a\.png is not a readable image'):
        read_mask(str(tmp_path / 'a.png'))


@pytest.mark.parametrize(('wanted', 'there'), [('a.png', 'a.PNG'), ('a.PNG', 'a.png')])
def test_a_suffix_in_the_other_case_is_named(tmp_path, wanted, there):
    (tmp_path / there).touch()
    with pytest.raises(FileNotFoundError, match=f'missing, but {there} is there'):
        read_mask(str(tmp_path / wanted))


@pytest.mark.parametrize('kind', [np.float32, np.int32, np.uint16, np.uint8])
def test_whole_numbers_of_any_type_are_ids(tmp_path, kind):
    Image.fromarray(IDS.astype(kind)).save(tmp_path / 'a.tif')
    mask = read_mask(str(tmp_path / 'a.tif'))
    np.testing.assert_array_equal(mask.ids, IDS)
    assert np.issubdtype(mask.ids.dtype, np.integer)


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        (0.5, r'holds 0\.5 and other numbers that are not whole in 1 of 24 pixels'),
        (np.nan, 'holds nan in 1 of 24 pixels'),
        (-np.inf, 'holds -inf in 1 of 24'),
        (1e20, 'in 1 of 24 pixels, which is not a class id'),
    ],
)
def test_numbers_that_are_no_ids_are_refused(tmp_path, value, words):
    ids = IDS.astype(np.float32)
    ids[1, 2] = value
    Image.fromarray(ids).save(tmp_path / 'a.tif')
    with pytest.raises(FractionError, match=words):
        read_mask(str(tmp_path / 'a.tif'))


@pytest.mark.parametrize(('suffix', 'kind'), [('png', 'PNG'), ('jpg', 'JPEG')])
def test_a_mask_says_its_format(tmp_path, suffix, kind):
    Image.fromarray(IDS).save(tmp_path / f'a.{suffix}')
    assert read_mask(str(tmp_path / f'a.{suffix}')).format == kind


def test_colours_are_rgb_whatever_decodes_them(tmp_path):
    Image.new('RGB', (6, 4), (200, 100, 0)).save(tmp_path / 'a.png')
    for decoder in ('pillow', 'cv2'):
        with pytest.raises(ColourMaskError) as caught:
            read_mask(str(tmp_path / 'a.png'), decoder=decoder)
        assert caught.value.pixels[0, 0].tolist() == [200, 100, 0]


def test_png_keeps_every_id():
    ids = np.arange(256, dtype=np.uint8).reshape(8, 32)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(png(ids)))), ids)
