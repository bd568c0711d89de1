"""What all images and masks of a split together tell."""

import numpy as np
import pytest
from PIL import Image

from mmseg_jml.datasets import SyntheticShapesDataset
from mmseg_jml.datasets.report import inspect_split, mark_shared_images

CLASSES = ('ground', 'cat', 'dog')
PALETTE = [[10, 20, 30], [200, 0, 0], [0, 200, 0]]


def make(folder, masks, **options):
    """The config of a data set of 4 x 6 images whose masks hold the given ids."""
    for part in ('img', 'ann'):
        (folder / part).mkdir(parents=True)
    for index, mask in enumerate(masks):
        Image.new('RGB', (6, 4)).save(folder / f'img/{index}.jpg')
        pixels = np.resize(np.asarray(mask, np.uint8), (4, 6))
        Image.fromarray(pixels).save(folder / f'ann/{index}.png')
    return {
        'type': 'BaseSegDataset',
        'data_root': str(folder),
        'data_prefix': {'img_path': 'img', 'seg_map_path': 'ann'},
        'metainfo': {'classes': CLASSES, 'palette': PALETTE},
        'pipeline': [],
        **options,
    }


def inspect(config, **options):
    return inspect_split('val', config, **options)


def kinds(config, **options):
    return list(inspect(config, **options).by_kind())


@pytest.mark.parametrize('workers', [1, 3])
def test_pixels_and_images_are_counted_by_class(tmp_path, workers):
    config = make(tmp_path, [[0, 1, 255], [0, 2], [0]])
    report = inspect(config, workers=workers)
    assert report.problems == report.notes == []
    pixels, images = [8 + 12 + 24, 8, 12, 8], [3, 1, 1, 1]
    assert report.pixels.tolist() == pixels
    assert report.images.tolist() == images
    assert report.histogram() == [
        (name, count, count / 72, number)
        for name, count, number in zip(
            (*CLASSES, '(ignored)'), pixels, images, strict=True
        )
    ]


def test_counts_are_those_of_the_classes_after_reduce_zero_label(tmp_path):
    report = inspect(make(tmp_path, [[0, 1, 2, 3]], reduce_zero_label=True))
    assert report.problems == report.notes == []
    assert report.pixels.tolist() == [6, 6, 6, 6]


def test_ids_outside_the_classes_are_not_counted_as_ignored(tmp_path):
    report = inspect(make(tmp_path, [[0, 3]]))
    assert report.pixels.tolist() == [12, 0, 0, 0]


def test_masks_of_nested_data_sets_are_counted_together(tmp_path):
    parts = [make(tmp_path / 'a', [[0]]), make(tmp_path / 'b', [[1, 2]])]
    report = inspect({'type': 'ConcatDataset', 'datasets': parts})
    assert report.pixels.tolist() == [24, 12, 12, 0]
    assert report.notes == []
    assert len(report.paths) == 2


def test_nested_data_sets_have_the_same_classes(tmp_path):
    parts = [make(tmp_path / 'a', [[0]]), make(tmp_path / 'b', [[1]])]
    parts[1]['metainfo'] = {'classes': ('a', 'b')}
    assert 'number of classes' in kinds({'type': 'ConcatDataset', 'datasets': parts})


def test_every_image_is_decoded(tmp_path):
    config = make(tmp_path, [[0, 1, 2]])
    noise = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'img/0.jpg')
    data = (tmp_path / 'img/0.jpg').read_bytes()
    (tmp_path / 'img/0.jpg').write_bytes(data[: len(data) - 60])
    assert kinds(config) == ['unreadable image']


def test_a_mask_without_a_image_is_named(tmp_path):
    config = make(tmp_path, [[0, 1, 2]] * 2)
    (tmp_path / 'img/1.jpg').unlink()
    report = inspect(config)
    assert report.by_kind() == {
        'missing image': [f'mask {tmp_path}/ann/1.png has no image']
    }


def test_masks_that_a_list_leaves_out_need_no_image(tmp_path):
    (tmp_path / 'list.txt').write_text('0\n')
    config = make(tmp_path / 'data', [[0, 1, 2]] * 2)
    (tmp_path / 'data/img/1.jpg').unlink()
    assert kinds(config | {'ann_file': str(tmp_path / 'list.txt')}) == []


@pytest.mark.parametrize(
    ('masks', 'options', 'expected'),
    [
        ([[1, 2, 3]], {}, ['off by one']),
        ([[0, 9]], {}, ['ids outside the classes']),
        ([[0, 255]], {}, ['black and white']),
        ([[0, 255]], {'reduce_zero_label': True}, ['black and white', 'nothing']),
        ([[255]], {}, ['nothing']),
        ([], {}, ['no images']),
        ([[0]], {'ann_file': 'no.txt'}, ['no images']),
        ([[0]], {'type': 'PascalVOCDataset', 'ann_file': 'no.txt'}, ['no images']),
    ],
)
def test_a_trap_is_a_problem(tmp_path, masks, options, expected):
    found = kinds(make(tmp_path, masks, **options))
    assert [kind.replace('nothing labelled', 'nothing') for kind in found] == expected


@pytest.mark.parametrize(
    ('masks', 'options', 'notes'),
    [
        ([[0, 2]], {}, ['never occurs: cat']),
        ([[0, 1]], {}, ['never occurs: dog']),
        (
            [[1, 2]],
            {},
            [
                'never occurs: ground',
                'if ids count from 1, set `reduce_zero_label=True`',
            ],
        ),
        (
            [[0, 1, 2]],
            {'reduce_zero_label': True},
            [
                'never occurs: dog',
                'if ids count from 0, set `reduce_zero_label=False`',
            ],
        ),
    ],
)
def test_what_may_be_wrong_is_noted(tmp_path, masks, options, notes):
    report = inspect(make(tmp_path, masks, **options))
    assert (report.problems, report.notes) == ([], notes)


def test_the_models_classes_have_to_be_the_data_sets(tmp_path):
    config = make(tmp_path, [[0, 1, 2]])
    assert kinds(config, num_classes=3) == []
    assert kinds(config, num_classes=4) == ['number of classes']


def test_a_data_set_without_classes_is_refused(tmp_path):
    config = make(tmp_path, [[0]])
    del config['metainfo']
    with pytest.raises(ValueError, match='BaseSegDataset needs `classes`'):
        inspect(config)


def test_unlabelled_images_are_noted(tmp_path):
    config = make(tmp_path, [[0]])
    config['data_prefix'] = {'img_path': str(tmp_path / 'img'), 'seg_map_path': None}
    report = inspect(config | {'data_root': None})
    assert (report.problems, report.notes) == ([], ['no mask was read'])


def test_images_of_two_splits_are_named(tmp_path):
    config = make(tmp_path, [[0, 1, 2]] * 3)
    (tmp_path / 'one.txt').write_text('1\n')
    train = inspect_split('train', config)
    val = inspect_split('val', config | {'ann_file': 'one.txt'})
    mark_shared_images(train, val)
    assert val.by_kind() == {
        'in two splits': [f'1 of 1 images are also in train: {tmp_path}/img/1.jpg']
    }
    assert train.problems == []


def test_splits_of_their_own_images_are_sound(tmp_path):
    reports = [
        inspect_split(name, make(tmp_path / name, [[0, 1, 2]]))
        for name in ('train', 'val')
    ]
    mark_shared_images(*reports)
    assert reports[1].problems == []


def test_what_can_be_shown_is_what_training_sees(tmp_path):
    config = make(tmp_path, [[0, 1, 3], [9]], reduce_zero_label=True)
    Image.new('RGB', (6, 4), (250, 0, 0)).save(tmp_path / 'img/0.jpg')
    (load,) = inspect(config).sound
    image, label = load()
    assert image[0, 0].tolist() == pytest.approx([250, 0, 0], abs=5)  # RGB
    assert label[0].tolist() == [255, 0, 2, 255, 0, 2]


def test_synthetic_shapes_are_sound():
    report = inspect(SyntheticShapesDataset(length=20, num_classes=6))
    assert report.problems == []
    assert report.pixels.sum() == 20 * 160 * 224
    assert all(load()[0].shape == (160, 224, 3) for load in report.sound[:2])
