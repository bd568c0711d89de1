import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image
from torch.utils.data import Subset

from mmseg_jml.datasets import SyntheticShapesDataset, check_dataset
from tests.datasets.check_cases import CLASSES, make, mask_path, problems


def test_a_sound_data_set_passes(tmp_path):
    dataset = make(tmp_path, [[0, 1, 2], [0, 255], [2]])
    assert check_dataset(dataset) is None
    assert problems(dataset) == []


def test_synthetic_shapes_pass():
    assert problems(SyntheticShapesDataset(length=5, num_classes=10)) == []


def test_camvid_passes(shared_dir):
    camvid = shared_dir / 'data/camvid'
    if not camvid.is_dir():
        pytest.skip('no CamVid in `../shared/data`')
    dataset = BaseSegDataset(
        data_root=str(camvid),
        data_prefix={'img_path': 'img_dir/train', 'seg_map_path': 'ann_dir/train'},
        metainfo={'classes': tuple('abcdefghijk')},
    )
    check_dataset(dataset)


@pytest.mark.parametrize('serialize_data', [True, False])
def test_a_folder_without_pictures_is_refused_by_folder_and_suffix(
    tmp_path, serialize_data
):
    dataset = make(
        tmp_path, [], img_suffix='.tif', lazy_init=True, serialize_data=serialize_data
    )
    with pytest.raises(ValueError, match=rf"no images \*.tif .*'{tmp_path}/img'"):
        check_dataset(dataset)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda leaf: leaf,
        lambda leaf: {'type': 'RepeatDataset', 'times': 2, 'dataset': leaf},
        lambda leaf: {'type': 'ConcatDataset', 'datasets': [leaf, leaf]},
    ],
)
def test_a_config_is_checked_without_being_built(tmp_path, wrap):
    make(tmp_path, [], lazy_init=True)
    leaf = {
        'type': 'BaseSegDataset',
        'data_root': str(tmp_path),
        'data_prefix': {'img_path': 'img', 'seg_map_path': 'ann'},
        'metainfo': {'classes': CLASSES},
        'pipeline': [{'type': 'LoadImageFromFile'}, {'type': 'NoSuchTransform'}],
    }
    with pytest.raises(ValueError, match=r'no images \*.jpg in the folder'):
        check_dataset(wrap(leaf))
    make(tmp_path, [[9]])
    with pytest.raises(ValueError, match='holds the ids 9'):
        check_dataset(wrap(leaf))


def test_a_missing_folder_is_refused_by_name(tmp_path):
    dataset = make(
        tmp_path,
        [[0]],
        lazy_init=True,
        data_prefix={'img_path': 'nowhere', 'seg_map_path': 'ann'},
    )
    with pytest.raises(ValueError, match=f'cannot be listed: .*{tmp_path}/nowhere'):
        check_dataset(dataset)


def test_a_missing_mask_is_refused_by_file(tmp_path):
    dataset = make(tmp_path, [[0], None])
    with pytest.raises(ValueError, match=f'mask {mask_path(tmp_path, 1)} is missing'):
        check_dataset(dataset)


def test_a_listed_picture_that_is_missing_is_refused_by_file(tmp_path):
    (tmp_path / 'train.txt').write_text('000\n007\n')
    dataset = make(tmp_path, [[0]], ann_file='train.txt')
    assert f'image {tmp_path}/img/007.jpg is missing' in problems(dataset)


def test_an_unreadable_mask_is_refused_by_file(tmp_path):
    dataset = make(tmp_path, [[0]])
    mask_path(tmp_path, 0).write_bytes(b'not a picture')
    with pytest.raises(ValueError, match=r'000\.png is not a readable image'):
        check_dataset(dataset)


def test_a_colour_mask_is_refused_by_shape(tmp_path):
    dataset = make(tmp_path, [[0]])
    Image.new('RGB', (6, 4), (128, 64, 0)).save(mask_path(tmp_path, 0))
    with pytest.raises(ValueError, match=r'colour image of shape \(4, 6, 3\)'):
        check_dataset(dataset)


def test_a_mask_with_a_palette_is_read_as_ids(tmp_path):
    dataset = make(tmp_path, [[0], [0]])
    mask = Image.fromarray(np.full((4, 6), 2, np.uint8)).convert('P')
    mask.putpalette([7, 8, 9] * 256)
    mask.save(mask_path(tmp_path, 0))
    assert problems(dataset) == []


def test_ids_outside_are_refused_by_file_and_ids(tmp_path):
    dataset = make(tmp_path, [[0, 1], [0, 7, 9, 255]])
    with pytest.raises(ValueError, match=r'001\.png holds the ids 7, 9, but 3 classes'):
        check_dataset(dataset)


def test_many_wrong_ids_are_counted(tmp_path):
    found = problems(make(tmp_path, [range(3, 24)]))
    assert 'the ids 3, 4, 5, 6, 7, 8, 9, 10, ... (21 in all)' in found[0]


def test_sixteen_bit_ids_do_not_wrap_around(tmp_path):
    dataset = make(tmp_path, [[0]])
    Image.fromarray(np.full((4, 6), 257, np.uint16)).save(mask_path(tmp_path, 0))
    assert 'holds the ids 257' in problems(dataset)[0]


@pytest.mark.parametrize('ids', [[1, 2, 3], [0, 1, 2, 3], [3]])
def test_one_id_too_many_hints_at_reduce_zero_label(tmp_path, ids):
    with pytest.raises(ValueError, match=r'off by one.*`reduce_zero_label=True`'):
        check_dataset(make(tmp_path, [ids]))


def test_two_ids_too_many_are_not_called_off_by_one(tmp_path):
    assert 'off by one' not in problems(make(tmp_path, [[3, 4]]))[0]


def test_reduce_zero_label_shifts_what_is_allowed(tmp_path):
    assert problems(make(tmp_path, [[0, 1, 2, 3, 255]], reduce_zero_label=True)) == []
    (found,) = problems(make(tmp_path, [[4]], reduce_zero_label=True))
    assert 'the ids 4, but 3 classes allow 1 to 3, 0 for ignored' in found


def test_black_and_white_masks_bring_a_hint(tmp_path):
    dataset = make(tmp_path, [[0, 255]], ignore_index=254)
    with pytest.raises(ValueError, match=r'black and white mask, write 1 for white'):
        check_dataset(dataset)


@pytest.mark.parametrize('suffix', ['.JPG', '.Jpg'])
def test_images_left_out_for_the_case_of_their_suffix_are_counted(tmp_path, suffix):
    make(tmp_path, [[0, 1]] * 6)
    for index in (4, 5):
        path = tmp_path / 'img' / f'{index:03}.jpg'
        path.rename(path.with_suffix(suffix))
    (found,) = problems(make(tmp_path, []))
    assert f"2 of 6 images in {tmp_path}/img do not end in '.jpg' but in" in found
    assert f'005{suffix}' in found


def test_a_list_of_images_leaves_the_others_out_on_purpose(tmp_path):
    make(tmp_path, [[0, 1]] * 2)
    (tmp_path / 'img/001.jpg').rename(tmp_path / 'img/001.JPG')
    (tmp_path / 'train.txt').write_text('000\n')
    assert problems(make(tmp_path, [], ann_file='train.txt')) == []


@pytest.mark.parametrize(
    ('step', 'sentence'),
    [
        (
            {'imdecode_backend': 'turbojpeg'},
            'needs a package: `pip install PyTurboJPEG',
        ),
        ({'no_such_option': 1}, 'LoadImageFromFile of the pipeline cannot be built'),
    ],
)
def test_a_loader_that_cannot_be_built_is_refused(tmp_path, step, sentence):
    make(tmp_path, [[0, 1]])
    config = {
        'type': 'BaseSegDataset',
        'data_root': str(tmp_path),
        'data_prefix': {'img_path': 'img', 'seg_map_path': 'ann'},
        'metainfo': {'classes': CLASSES},
        'pipeline': [{'type': 'LoadImageFromFile', **step}],
    }
    with pytest.raises(ValueError, match=sentence):
        check_dataset(config)


def test_a_loader_that_contradicts_the_dataset_is_refused(tmp_path):
    make(tmp_path, [[0, 1]])
    pipeline = [LoadImageFromFile(), LoadAnnotations(imdecode_backend='cv2')]
    pipeline[1].reduce_zero_label = True
    dataset = make(tmp_path, [], pipeline=pipeline)
    with pytest.raises(ValueError, match=r'`reduce_zero_label=True` and the dataset'):
        check_dataset(dataset)


def test_images_of_another_suffix_are_named_where_none_has_the_own(tmp_path):
    make(tmp_path, [[0, 1]])
    (found,) = problems(make(tmp_path, [], img_suffix='.tif', lazy_init=True))
    assert found.endswith('it holds 1 images .jpg: set `img_suffix`')


def test_ids_of_renamed_classes_are_those_of_the_file(tmp_path):
    class Animals(BaseSegDataset):
        METAINFO = {'classes': CLASSES}  # noqa: RUF012

    make(tmp_path, [[0, 1, 2], [0, 3]])
    dataset = Animals(
        data_root=str(tmp_path),
        data_prefix={'img_path': 'img', 'seg_map_path': 'ann'},
        metainfo={'classes': ('dog',)},
    )
    (found,) = problems(dataset)
    assert '001.png holds the ids 3, but 1 classes allow 0 to 2' in found


def test_pictures_without_masks_pass(tmp_path):
    prefix = {'img_path': str(tmp_path / 'img'), 'seg_map_path': None}
    dataset = make(tmp_path, [None, None], data_root=None, data_prefix=prefix)
    assert problems(dataset) == []


def test_the_models_number_of_classes_has_to_be_the_data_sets(tmp_path):
    dataset = make(tmp_path, [[0, 1]])
    check_dataset(dataset, num_classes=3)
    with pytest.raises(ValueError, match=r'model has 4 classes, .* has 3: ground, cat'):
        check_dataset(dataset, num_classes=4)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda dataset: RepeatDataset(dataset, times=2),
        lambda dataset: ConcatDataset([dataset, dataset]),
        lambda dataset: Subset(ConcatDataset([dataset]), [0]),
    ],
)
def test_wrappers_are_looked_into(tmp_path, wrap):
    with pytest.raises(ValueError, match='holds the ids 9'):
        check_dataset(wrap(make(tmp_path, [[9]])))


def test_something_else_is_refused():
    with pytest.raises(TypeError, match=r'`dataset` must be a BaseSegDataset, .* list'):
        check_dataset([1, 2])


def test_a_spread_sample_reads_the_first_and_the_last(tmp_path):
    dataset = make(tmp_path, [[9], *[[0]] * 8, [8]])
    found = problems(dataset, num_masks=2)
    assert [text.split('holds the ids ')[1][0] for text in found] == ['9', '8']


def test_a_sample_reads_no_more_than_asked_for(tmp_path):
    dataset = make(tmp_path, [[9]] * 10)
    assert len(problems(dataset, num_masks=4)) == 4


def test_without_a_limit_every_mask_is_read(tmp_path):
    assert len(problems(make(tmp_path, [[9]] * 40))) == 40


def test_one_error_names_at_most_five_files(tmp_path):
    with pytest.raises(ValueError, match='mask') as caught:
        check_dataset(make(tmp_path, [[9]] * 10))
    assert str(caught.value).count('holds the ids') == 5


@pytest.mark.parametrize('num_masks', [0, -3])
def test_a_sample_of_nothing_is_refused(tmp_path, num_masks):
    with pytest.raises(ValueError, match='`num_masks` must be at least 1 or None'):
        check_dataset(make(tmp_path, [[0]]), num_masks=num_masks)
