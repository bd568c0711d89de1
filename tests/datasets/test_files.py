"""Reading pictures and masks, writing files whole."""

import io

import mmcv
import numpy as np
import pytest
from PIL import Image

from mmseg_jml.datasets.files import (
    ColourMaskError,
    picture_size,
    png,
    read_mask,
)
from mmseg_jml.datasets.synthetic_shapes import SyntheticShapesDataset
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


@pytest.mark.parametrize('read', [read_mask, picture_size])
def test_a_missing_file_is_told_from_a_broken_one(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r'a\.png is missing'):
        read(str(tmp_path / 'a.png'))
    (tmp_path / 'a.png').write_bytes(b'not a picture')
    with pytest.raises(ValueError, match=r'a\.png is not a readable picture'):
        read(str(tmp_path / 'a.png'))


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
@pytest.mark.parametrize('decode', [False, True])
def test_the_size_is_height_and_width(tmp_path, suffix, decode):
    path = str(tmp_path / f'a.{suffix}')
    noise(64, 96).save(path)
    assert picture_size(path, decode=decode) == (64, 96)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_the_size_is_that_which_training_sees(tmp_path, orientation):
    path = tmp_path / 'a.jpg'
    exif = Image.Exif()
    exif[0x0112] = orientation
    noise(64, 96).save(path, exif=exif)
    seen = mmcv.imfrombytes(path.read_bytes()).shape[:2]
    assert picture_size(str(path)) == picture_size(str(path), decode=True) == seen


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_decoding_finds_a_truncated_picture(tmp_path, suffix):
    path = tmp_path / f'a.{suffix}'
    noise().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert picture_size(str(path)) == (64, 96)
    with pytest.raises(ValueError, match='not a readable picture'):
        picture_size(str(path), decode=True)


def test_files_of_other_backends_are_read():
    entry = SyntheticShapesDataset(length=1, size=(32, 48), pipeline=[])[0]
    assert picture_size(entry['img_path'], decode=True) == (32, 48)
    assert read_mask(entry['seg_map_path']).ids.shape == (32, 48)


def test_png_keeps_every_id():
    ids = np.arange(256, dtype=np.uint8).reshape(8, 32)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(png(ids)))), ids)
