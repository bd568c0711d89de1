"""Lists of images that are not read as they were meant."""

import pytest
from mmseg.datasets import BaseSegDataset
from PIL import Image

from mmseg_jml.datasets.listing import lacks_masks, listing_trouble


@pytest.fixture
def dataset(tmp_path):
    """A dataset of a list of a.jpg and b.jpg, of which a.jpg has a mask."""

    def build(text):
        (tmp_path / 'list.txt').write_bytes(text.encode())
        return BaseSegDataset(
            data_root=str(tmp_path),
            data_prefix={'img_path': 'img', 'seg_map_path': 'ann'},
            ann_file='list.txt',
            metainfo={'classes': ('a', 'b')},
            pipeline=[],
            lazy_init=True,
        )

    for name in ('img/a.jpg', 'img/b.jpg', 'ann/a.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new('L', (4, 4)).save(tmp_path / name)
    return build


@pytest.mark.parametrize('text', ['a\nb\n', 'a\r\nb\r\n', 'a\nb', '  a\nb\n'])
def test_a_list_that_is_read_well_is_no_trouble(dataset, text):
    assert listing_trouble(dataset(text)) == ''


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('a\nb.jpg\n', "line 2 is 'b.jpg', and `img_suffix` adds '.jpg' once more"),
        ('a\n\nb\n', 'line 2 is blank'),
        ('a\nb\n\n', 'line 3 is blank'),
        ('\ufeffa\nb\n', 'line 1 begins with a byte order mark'),
    ],
)
def test_the_line_that_is_read_wrongly_is_named(dataset, text, line):
    trouble = listing_trouble(dataset(text))
    assert 'list.txt' in trouble
    assert line in trouble


def test_a_name_that_only_looks_wrong_is_no_trouble(dataset, tmp_path):
    Image.new('L', (4, 4)).save(tmp_path / 'img' / 'c.jpg.jpg')
    assert listing_trouble(dataset('a\nc.jpg\n')) == ''


@pytest.mark.parametrize(('text', 'lacking'), [('a\nb\n', False), ('b\n', True)])
def test_masks_are_lacking_where_no_image_has_one(dataset, text, lacking):
    found = dataset(text)
    found.full_init()
    assert lacks_masks(found) is lacking
