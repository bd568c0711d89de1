"""Images and masks as the pipeline of their dataset reads them."""

import mmcv
import numpy as np
import pytest
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS
from PIL import Image
from torch.utils.data import Subset

from mmseg_jml.datasets.check import leaf_of
from mmseg_jml.datasets.pairs import MaskRules, inspect_pair
from mmseg_jml.datasets.reading import Reader, loading_steps
from mmseg_jml.datasets.synthetic_shapes import SyntheticShapesDataset
from tests.datasets.tiffs import write_tiff

ORIENTATION = 0x0112
LOADERS = [
    {},
    {'imdecode_backend': 'pillow'},
    {'color_type': 'unchanged'},
    {'color_type': 'unchanged', 'imdecode_backend': 'pillow'},
    {'color_type': 'color_ignore_orientation'},
    {'color_type': 'grayscale'},
    {'color_type': 'grayscale', 'to_float32': True},
]


def noise(height=64, width=96):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def write(path, orientation=1):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    noise().save(path, exif=exif)
    return {'img_path': str(path)}


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'tif', 'bmp'])
@pytest.mark.parametrize('orientation', [1, 3, 6])
@pytest.mark.parametrize('options', LOADERS, ids=str)
def test_size_and_pixels_are_those_of_the_loader(
    tmp_path, suffix, orientation, options
):
    entry = write(tmp_path / f'a.{suffix}', orientation)
    reader = Reader([{'type': 'LoadImageFromFile', **options}])
    seen = LoadImageFromFile(**options)(entry.copy())['img']
    assert reader.image(entry).dtype == seen.dtype
    np.testing.assert_array_equal(reader.image(entry), seen)
    for like in (None, (64, 96), (96, 64)):
        assert reader.look(entry, decode=True, like=like).size == seen.shape[:2]
        if like:
            assert reader.look(entry, like=like).size == seen.shape[:2]


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp'])
def test_a_pair_turned_by_the_camera_fits_where_the_loader_turns_it(tmp_path, suffix):
    entry = write(tmp_path / f'a.{suffix}', 6)
    entry['seg_map_path'] = str(tmp_path / 'mask.png')
    Image.new('L', (64, 96)).save(entry['seg_map_path'])
    stored = Reader([LoadImageFromFile(color_type='color_ignore_orientation')])
    for decode in (True, False):
        found = inspect_pair(entry, MaskRules(2), Reader(), decode=decode)
        assert found.problems == []
        found = inspect_pair(entry, MaskRules(2), stored, decode=decode)
        assert [problem.kind for problem in found.problems] == ['sizes differ']


def test_the_header_decides_where_it_agrees_with_the_mask(tmp_path, monkeypatch):
    entry = write(tmp_path / 'a.png')
    reader = Reader()
    monkeypatch.setattr(reader, 'image', None)
    assert reader.look(entry, like=(64, 96)).size == (64, 96)


def test_a_jpeg_is_not_decoded_at_its_full_size(tmp_path, monkeypatch):
    entry = write(tmp_path / 'a.jpg')
    reader = Reader()
    monkeypatch.setattr(reader, 'image', None)
    assert reader.look(entry, decode=True).size == (64, 96)


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_decoding_finds_a_truncated_image(tmp_path, suffix):
    entry = write(tmp_path / f'a.{suffix}')
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert Reader().look(entry, like=(64, 96)).size == (64, 96)
    with pytest.raises(ValueError, match=f'image {path} is not a readable image'):
        Reader().look(entry, decode=True)


def test_a_damaged_png_is_found_where_the_decoder_says_nothing(tmp_path, monkeypatch):
    entry = write(tmp_path / 'a.png')
    data = bytearray((tmp_path / 'a.png').read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / 'a.png').write_bytes(data)
    monkeypatch.setattr(mmcv, 'imfrombytes', lambda *_, **__: np.zeros((64, 96, 3)))
    with pytest.raises(ValueError, match='not a readable image'):
        Reader().look(entry, decode=True)


def test_a_missing_image_is_told_from_a_broken_one(tmp_path):
    entry = {'img_path': str(tmp_path / 'a.png')}
    with pytest.raises(FileNotFoundError, match=r'image .*a\.png is missing$'):
        Reader().look(entry)
    (tmp_path / 'a.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'LoadImageFromFile fails on it: Assertion'):
        Reader().look(entry)


def test_files_of_other_backends_are_read():
    dataset = SyntheticShapesDataset(length=1, size=(32, 48), pipeline=[])
    reader, entry = Reader.of(dataset), dataset.get_data_info(0)
    assert reader.look(entry, decode=True).size == (32, 48)
    assert reader.mask(entry).ids.shape == (32, 48)


# TIFF files of bands.


class LoadBands(BaseTransform):
    """A loader of the user's own: five bands from a flat file of 16 bits."""

    def transform(self, results):
        flat = np.fromfile(results['img_path'], '<u2')[-5 * 8 * 12 :]
        results['img'] = flat.reshape(8, 12, 5)
        return results


def bands(tmp_path, **options):
    pixels = np.random.default_rng(0).integers(0, 65536, (8, 12, 5))
    write_tiff(tmp_path / 'a.tif', pixels.astype(np.uint16), **options)
    Image.new('L', (12, 8)).save(tmp_path / 'a.png')
    return pixels, {
        'img_path': str(tmp_path / 'a.tif'),
        'seg_map_path': str(tmp_path / 'a.png'),
    }


def test_what_the_own_loader_reads_is_good_and_described(tmp_path):
    pixels, entry = bands(tmp_path)
    reader = Reader([LoadBands()])
    np.testing.assert_array_equal(reader.image(entry), pixels)
    found = inspect_pair(entry, MaskRules(2), reader, decode=True)
    assert found.problems == []
    assert found.notes == (
        'images: TIFF, 5 bands of 16 bits; LoadBands gives 5 channels of uint16',
    )
    assert reader.rgb(entry).shape == (8, 12, 3)


def test_what_the_loader_cannot_read_is_named_with_its_loader_and_bands(tmp_path):
    _, entry = bands(tmp_path)
    (problem,) = inspect_pair(entry, MaskRules(2), Reader(), decode=True).problems
    assert problem.kind == 'unreadable image'
    assert (
        'LoadImageFromFile fails on it (TIFF, 5 bands of 16 bits)' in problem.sentence
    )


def test_a_planar_image_is_good_and_described(tmp_path):
    pixels = np.asarray(noise(8, 12))
    write_tiff(tmp_path / 'a.tif', pixels, planar=True)
    entry = {'img_path': str(tmp_path / 'a.tif')}
    reader = Reader()
    np.testing.assert_array_equal(reader.rgb(entry), pixels)
    (note,) = inspect_pair(entry, MaskRules(2), reader, decode=True).notes
    assert 'one band after the other (planar); LoadImageFromFile gives 3 chan' in note


# Masks.


class LoadColourAnnotations(BaseTransform):
    """A loader of the user's own, which makes class ids of colours."""

    def transform(self, results):
        red = mmcv.imread(results['seg_map_path'], channel_order='rgb')[..., 0]
        results['gt_seg_map'] = (red > 127).astype(np.uint8)
        return results


def test_a_mask_loader_of_the_users_own_gives_the_labels(tmp_path):
    entry = write(tmp_path / 'a.png') | {'seg_map_path': str(tmp_path / 'mask.jpg')}
    entry['reduce_zero_label'] = True  # which the own loader does not heed
    noise().save(entry['seg_map_path'])
    reader = Reader([LoadImageFromFile(), LoadColourAnnotations()])
    found = inspect_pair(entry, MaskRules(2), reader, decode=True)
    assert (found.problems, set(found.pixels)) == ([], {0, 1})
    label = LoadColourAnnotations()(entry.copy())['gt_seg_map']
    np.testing.assert_array_equal(reader.label(entry), label)


@pytest.mark.parametrize('reduce', [False, True])
@pytest.mark.parametrize('kind', [np.uint8, np.float32])
def test_the_label_is_that_of_the_loader(tmp_path, reduce, kind):
    ids = np.resize(np.array([0, 1, 2, 255]), (8, 12))
    Image.fromarray(ids.astype(kind)).save(tmp_path / 'a.tif')
    entry = {
        'seg_map_path': str(tmp_path / 'a.tif'),
        'reduce_zero_label': reduce,
        'label_map': {2: 0},
    }
    loaded = LoadAnnotations()({**entry, 'seg_fields': []})['gt_seg_map']
    np.testing.assert_array_equal(Reader().label(entry), loaded)


def test_a_palette_mask_is_in_colour_for_the_decoder_that_paints_it(tmp_path):
    mask = Image.new('P', (12, 8), 1)
    mask.putpalette([7, 8, 9] * 256)
    mask.save(tmp_path / 'a.png')
    entry = {'seg_map_path': str(tmp_path / 'a.png')}
    painting = Reader([LoadAnnotations(imdecode_backend='cv2')])
    assert inspect_pair(entry, MaskRules(2), Reader()).problems == []
    (problem,) = inspect_pair(entry, MaskRules(2), painting).problems
    assert problem.kind == 'colour mask'


# Pipelines and datasets.


def test_the_first_loading_steps_are_taken():
    assert loading_steps([{'type': 'mmseg.LoadAnnotations'}, {'type': LoadBands}]) == (
        {'type': LoadBands},
        {'type': 'mmseg.LoadAnnotations'},
    )
    own = {'type': 'ReadRaster'}
    assert loading_steps([own, {'type': 'LoadAnnotations'}]) == (
        own,
        {'type': 'LoadAnnotations'},
    )
    assert loading_steps([]) == (None, None)


def test_a_registered_loader_is_built_from_its_config(tmp_path):
    TRANSFORMS.register_module(module=LoadBands, force=True)
    pixels, entry = bands(tmp_path)
    reader = Reader([{'type': 'LoadBands'}, {'type': 'NoSuchTransform'}])
    np.testing.assert_array_equal(reader.image(entry), pixels)


def test_an_image_is_found_inside_wrappers(tmp_path):
    first, second = (
        SyntheticShapesDataset(length=n, size=(32, 48), pipeline=[]) for n in (3, 2)
    )
    both = ConcatDataset([first, second])
    assert leaf_of(both, 4) == (second, 1)
    assert leaf_of(RepeatDataset(first, times=2), 5) == (first, 2)
    assert leaf_of(Subset(both, [3, 0]), 0) == (second, 0)
    bare = BaseSegDataset(lazy_init=True)
    assert leaf_of(bare, 5) == (bare, 5)
