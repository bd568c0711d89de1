"""DeepGlobe Land: folds, colours, and what the data set reads."""

import numpy as np
import pytest
from PIL import Image

from mmseg_jml.datasets import DeepGlobeLandDataset
from mmseg_jml.datasets.deepglobe_land import fold_split, label_from_colours

PICTURES = [f'{number}_sat.jpg' for number in range(2000, 2803)]
FOLDS = range(5)
COLOURS = {  # as the challenge's page has them
    'urban': (0, 255, 255),
    'agriculture': (255, 255, 0),
    'rangeland': (255, 0, 255),
    'forest': (0, 255, 0),
    'water': (0, 0, 255),
    'barren': (255, 255, 255),
}


@pytest.mark.parametrize('fold', FOLDS)
def test_a_fold_validates_on_160_of_803_in_the_order_of_names(fold):
    _, val = fold_split(PICTURES[::-1], fold)
    assert val == [f'{2000 + 160 * fold + i}_sat.jpg' for i in range(160)]


@pytest.mark.parametrize('fold', FOLDS)
def test_a_fold_trains_on_all_that_it_does_not_validate_on(fold):
    train, val = fold_split(PICTURES, fold)
    assert sorted(train + val) == PICTURES
    assert len(train) == 643


def test_the_last_three_are_never_validated_on():
    tested = {name for fold in FOLDS for name in fold_split(PICTURES, fold)[1]}
    assert set(PICTURES) - tested == set(PICTURES[-3:])


def test_names_are_sorted_as_file_names():
    names = ['119_sat.jpg', '1190_sat.jpg', '2_sat.jpg', '3_sat.jpg', '4_sat.jpg']
    assert fold_split(names, 0)[1] == ['1190_sat.jpg']  # a digit comes before "_"


@pytest.mark.parametrize('fold', [-1, 5, 1.5, 'a'])
def test_another_fold_is_refused(fold):
    with pytest.raises(ValueError, match='`fold` must be 0 to 4'):
        fold_split(PICTURES, fold)


def test_folds_of_fewer_than_five_pictures_are_refused():
    with pytest.raises(ValueError, match='at least 5, one for each fold, got 4'):
        fold_split(PICTURES[:4], 0)


def test_classes_and_colours_are_the_challenges():
    info = DeepGlobeLandDataset.METAINFO
    painted = {
        name: tuple(colour)
        for name, colour in zip(info['classes'], info['palette'], strict=True)
    }
    assert painted == COLOURS
    assert list(painted) == list(COLOURS)


def test_painting_a_label_and_reading_it_gives_it_back():
    label = np.random.default_rng(0).integers(0, 6, (40, 50))
    painted = np.array(list(COLOURS.values()), np.uint8)[label]
    read = label_from_colours(painted)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, label)


def test_a_channel_is_on_from_128():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 6, (40, 50))
    on = np.array(list(COLOURS.values()))[label] > 0
    noise = rng.integers(0, 128, on.shape)
    painted = np.where(on, 128 + noise, noise).astype(np.uint8)
    np.testing.assert_array_equal(label_from_colours(painted), label)


@pytest.mark.parametrize('colour', [(0, 0, 0), (127, 127, 127), (255, 0, 0)])
def test_what_is_no_class_is_ignored(colour):
    assert label_from_colours(np.full((1, 1, 3), colour, np.uint8)) == [[255]]


@pytest.fixture
def folder(tmp_path):
    """Two converted pictures and a list of one."""
    for part in ('land-train', 'labels', 'folds'):
        (tmp_path / part).mkdir()
    for name in ('7', '8'):
        Image.new('RGB', (6, 4)).save(tmp_path / 'land-train' / f'{name}_sat.jpg')
        Image.new('L', (6, 4), 5).save(tmp_path / 'labels' / f'{name}.png')
    (tmp_path / 'folds' / 'fold0_train.txt').write_text('8\n')
    return tmp_path


def build(folder, **options):
    prefix = {'img_path': 'land-train', 'seg_map_path': 'labels'}
    return DeepGlobeLandDataset(data_root=str(folder), data_prefix=prefix, **options)


def test_a_list_chooses_the_pictures(folder):
    dataset = build(folder, ann_file='folds/fold0_train.txt')
    assert [dataset[i]['img_path'] for i in range(len(dataset))] == [
        f'{folder}/land-train/8_sat.jpg'
    ]
    assert dataset[0]['seg_map_path'] == f'{folder}/labels/8.png'


def test_without_a_list_every_picture_is_read(folder):
    assert len(build(folder)) == 2


def test_a_missing_list_is_refused_with_what_writes_it(folder):
    with pytest.raises(FileNotFoundError, match=r'folds are 0 to 4.*deepglobe\.py'):
        build(folder, ann_file='folds/fold5_train.txt')
