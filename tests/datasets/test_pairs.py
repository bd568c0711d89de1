"""One picture and its mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from mmseg_jml.datasets.pairs import MaskRules, inspect_pair
from mmseg_jml.datasets.reading import Reader, class_of_ids

PALETTE = [[10, 20, 30], [200, 0, 0], [0, 200, 0]]
RULES = MaskRules(num_classes=3, palette=PALETTE)
ORIENTATION, QUARTER_TURN = 0x0112, 6


def pair(folder, mask, *, size=(4, 6), exif=None):
    """Write a picture and a mask, an image or ids; the entry of a data set."""
    Image.new('RGB', size[::-1]).save(folder / 'a.jpg', exif=exif or b'')
    image = mask if isinstance(mask, Image.Image) else Image.fromarray(ids(mask))
    image.save(folder / 'a.png')
    return {'img_path': str(folder / 'a.jpg'), 'seg_map_path': str(folder / 'a.png')}


def ids(values):
    return np.resize(np.asarray(values, np.uint8), (4, 6))


def painted(values, palette):
    """A mask of mode P, with a palette."""
    image = Image.fromarray(ids(values)).convert('P')
    image.putpalette(np.ravel(palette).tolist())
    return image


def kinds(info, rules=RULES, **options):
    return [
        problem.kind
        for problem in inspect_pair(info, rules, Reader(), **options).problems
    ]


def test_a_sound_pair_has_no_problem_and_its_pixels_are_counted(tmp_path):
    found = inspect_pair(pair(tmp_path, [0, 1, 2, 255]), RULES, Reader(), decode=True)
    assert found.problems == []
    assert found.pixels == {0: 6, 1: 6, 2: 6, 255: 6}


def test_sizes_have_to_agree(tmp_path):
    info = pair(tmp_path, [0], size=(6, 4))
    (problem,) = inspect_pair(info, RULES, Reader()).problems
    assert problem.kind == 'sizes differ'
    assert '(4, 6), but its image is (6, 4)' in problem.sentence


def test_a_picture_turned_by_the_camera_has_the_size_that_training_sees(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    assert kinds(pair(tmp_path, [0], size=(4, 6), exif=exif)) == ['sizes differ']
    assert kinds(pair(tmp_path, [0], size=(6, 4), exif=exif)) == []


@pytest.mark.parametrize(
    ('mask', 'kind'),
    [
        ([0, 3], 'off by one'),
        ([1, 2, 3], 'off by one'),
        ([0, 4], 'ids outside the classes'),
        ([0, 3, 4], 'ids outside the classes'),
    ],
)
def test_ids_outside_are_told_from_ids_off_by_one(tmp_path, mask, kind):
    assert kinds(pair(tmp_path, mask)) == [kind]


def test_with_reduce_zero_label_the_last_id_is_a_class(tmp_path):
    info = pair(tmp_path, [0, 1, 2, 3]) | {'reduce_zero_label': True}
    assert kinds(info) == []


def test_black_and_white_where_white_is_no_ignored_pixel(tmp_path):
    info = pair(tmp_path, [0, 255])
    assert kinds(info, MaskRules(3, PALETTE, ignored=254)) == ['black and white']


def test_wide_ids_are_counted_as_they_are(tmp_path):
    wide = Image.fromarray(np.full((4, 6), 300, np.uint16))
    found = inspect_pair(pair(tmp_path, wide), RULES, Reader())
    assert found.pixels == {300: 24}
    assert [problem.kind for problem in found.problems] == ['ids outside the classes']


@pytest.mark.parametrize(
    ('colours', 'hint'),
    [
        (PALETTE, ". Its colours are the classes': write each colour's place"),
        ([[1, 1, 1], [2, 2, 2], [0, 0, 0]], '. Its channels are equal: save one'),
        ([[1, 2, 3]] * 3, ''),
    ],
)
def test_a_colour_mask_brings_a_hint(tmp_path, colours, hint):
    pixels = np.array(colours, np.uint8)[ids([0, 1, 2])]
    (problem,) = inspect_pair(
        pair(tmp_path, Image.fromarray(pixels)), RULES, Reader()
    ).problems
    assert problem.kind == 'colour mask'
    _, found = problem.sentence.split('one class id for each pixel, (H, W)')
    assert found.startswith(hint)
    assert bool(found) == bool(hint)


def test_the_data_sets_own_palette_passes(tmp_path):
    assert kinds(pair(tmp_path, painted([0, 1, 2], PALETTE))) == []


def test_a_renumbered_palette_is_found(tmp_path):
    info = pair(tmp_path, painted([0, 1], [PALETTE[2], PALETTE[0]]))
    (problem,) = inspect_pair(info, RULES, Reader()).problems
    assert problem.kind == 'renumbered palette'
    assert 'paints id 0 in the colour of class 2' in problem.sentence


def test_a_palette_of_other_colours_says_nothing(tmp_path):
    assert kinds(pair(tmp_path, painted([0, 1], [PALETTE[2], [9, 9, 9]]))) == []


def test_classes_of_one_colour_are_not_called_renumbered(tmp_path):
    rules = MaskRules(3, [[1, 1, 1]] * 3)
    assert kinds(pair(tmp_path, painted([0, 1, 2], [[1, 1, 1]] * 3)), rules) == []


def test_a_palette_is_compared_after_reduce_zero_label(tmp_path):
    mask = painted([0, 1, 2, 3], [[9, 9, 9], *PALETTE])
    assert kinds(pair(tmp_path, mask) | {'reduce_zero_label': True}) == []


@pytest.mark.parametrize('part', ['img_path', 'seg_map_path'])
@pytest.mark.parametrize('state', ['missing', 'unreadable'])
def test_files_that_are_not_there_or_broken(tmp_path, part, state):
    info = pair(tmp_path, [0])
    info[part] = str(tmp_path / 'b.png')
    if state == 'unreadable':
        (tmp_path / 'b.png').write_bytes(b'\x89PNG')
    what = 'image' if part == 'img_path' else 'mask'
    assert kinds(info) == [f'{state} {what}']


def test_a_truncated_picture_is_found_by_decoding(tmp_path):
    info = pair(tmp_path, [0])
    noise = np.random.default_rng(0).integers(0, 256, (4, 600, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.jpg')
    Image.new('L', (600, 4)).save(tmp_path / 'a.png')
    data = (tmp_path / 'a.jpg').read_bytes()
    (tmp_path / 'a.jpg').write_bytes(data[: len(data) * 3 // 4])
    assert kinds(info) == []
    assert kinds(info, decode=True) == ['unreadable image']


def test_an_unlabelled_picture_is_a_picture_alone(tmp_path):
    info = pair(tmp_path, [7])
    del info['seg_map_path']
    assert inspect_pair(info, RULES, Reader()) == ([], {}, ())


@given(
    reduce=st.booleans(),
    renamed=st.none()
    | st.dictionaries(st.integers(0, 20), st.sampled_from([0, 1, 2, 255])),
)
def test_classes_of_ids_are_those_that_training_loads(
    tmp_path_factory, reduce, renamed
):
    path = tmp_path_factory.mktemp('mask') / 'a.png'
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(every).save(path)
    info = {'reduce_zero_label': reduce, 'label_map': renamed}
    loaded = LoadAnnotations()(info | {'seg_map_path': str(path), 'seg_fields': []})
    np.testing.assert_array_equal(class_of_ids(info), loaded['gt_seg_map'].ravel())
