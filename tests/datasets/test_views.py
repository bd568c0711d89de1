import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmseg.models import SegDataPreProcessor

from mmseg_jml.datasets import Draw
from mmseg_jml.datasets.views import PADDING, UNLABELLED, PackViews
from tests.datasets.semi_cases import CLASSES, build, write_lists, write_pictures


def inverted(results):
    return {**results, 'img': 255 - results['img']}


def flipped(results):
    label = results['gt_seg_map'][:, ::-1]
    return {**results, 'img': results['img'][:, ::-1], 'gt_seg_map': label}


def cut(results):
    return {**results, 'img': results['img'][1:]}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = write_pictures(tmp_path_factory.mktemp('data'), 6)
    write_lists(folder, [0, 1], [2, 3, 4, 5])
    return folder


@pytest.fixture(scope='module')
def inverting(folder):
    return build(folder, strong=[inverted], strong_views=2)


@given(seed=st.integers(0, 2**32 - 1), index=st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_views_share_scale_crop_and_flip(inverting, seed, index):
    sample = inverting[Draw(index, seed)]
    inputs, samples = sample['inputs'], sample['data_samples']
    assert list(inputs) == ['weak', 'strong', 'strong_2']
    for name in ('strong', 'strong_2'):
        torch.testing.assert_close(inputs[name], 255 - inputs['weak'])
        for key in ('img_path', 'scale_factor', 'flip', 'img_shape'):
            assert samples[name].get(key) == samples['weak'].get(key)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_label_map_is_that_of_the_weak_view(inverting, seed):
    sample = inverting[Draw(3, seed)]
    label = sample['data_samples']['weak'].gt_sem_seg.data
    assert label.shape == (1, *sample['inputs']['weak'].shape[1:])
    assert set(label.unique().tolist()) <= {*range(len(CLASSES)), UNLABELLED}


def test_only_the_weak_view_carries_the_label_map(inverting):
    samples = inverting[2]['data_samples']
    assert [name for name, s in samples.items() if 'gt_sem_seg' in s] == ['weak']


def test_two_strong_views_draw_anew(folder):
    inputs = build(folder, strong_views=2)[Draw(2, 0)]['inputs']
    assert not torch.equal(inputs['strong'], inputs['strong_2'])
    assert not torch.equal(inputs['strong'], inputs['weak'])


def test_without_a_strong_view_there_is_the_weak_one_alone(folder):
    assert list(build(folder, strong_views=0)[2]['inputs']) == ['weak']


def label_maps(dataset):
    """The weak view's, drawn alike from every data set."""
    draws = [Draw(4, seed) for seed in range(8)]
    weak = [dataset[draw]['data_samples']['weak'] for draw in draws]
    return weak[0].has_label, [sample.gt_sem_seg.data for sample in weak]


def test_an_ignored_label_is_unknown_and_not_padding(folder):
    has_label, maps = label_maps(build(folder))
    assert has_label
    assert any((each == UNLABELLED).any() for each in maps)
    assert not any((each == PADDING).any() for each in maps)


def test_without_a_mask_the_label_map_is_zero_on_the_same_crop(folder):
    _, with_masks = label_maps(build(folder))
    has_label, without = label_maps(build(folder, masks=False))
    assert not has_label
    assert [m.shape for m in without] == [m.shape for m in with_masks]
    assert not any(each.any() for each in without)


@pytest.mark.parametrize('masks', [True, False])
def test_what_is_padded_to_the_crops_size_is_255_and_nothing_else(folder, masks):
    dataset = build(folder, masks=masks)
    prepare = SegDataPreProcessor(size=(20, 28), pad_val=0, seg_pad_val=255)
    padded = 0
    for seed in range(12):
        sample = dataset[Draw(2, seed)]
        height, width = sample['inputs']['weak'].shape[1:]
        batch = {key: [branches['weak']] for key, branches in sample.items()}
        (ready,) = prepare(batch, training=True)['data_samples']
        expected = torch.ones(1, 20, 28, dtype=torch.bool)
        expected[:, :height, :width] = False
        assert torch.equal(ready.gt_sem_seg.data == PADDING, expected)
        padded += int(expected.any())
    assert 0 < padded < 12


@pytest.mark.parametrize('moving', [flipped, cut])
def test_a_strong_view_that_moves_is_refused(folder, moving):
    with pytest.raises(
        ValueError, match='`strong` must hold only photometric transforms'
    ):
        build(folder, strong=[moving])[2]


def test_a_pipeline_that_packs_unlabelled_pictures_is_refused():
    with pytest.raises(
        ValueError, match='must load masks with LoadOptionalAnnotations'
    ):
        PackViews([])({'inputs': 1, 'data_samples': 2})


@pytest.mark.parametrize('number', [-1, 3, 'two'])
def test_another_number_of_strong_views_is_refused(number):
    with pytest.raises(ValueError, match='`strong_views` must be 0, 1 or 2'):
        PackViews([], number)


def through(strong, img):
    """The strong view of an image."""
    results = {
        'img': img,
        'gt_seg_map': np.zeros(img.shape[:2], np.uint8),
        'has_label': False,
    }
    return PackViews(strong)(results)['inputs']['strong']


@pytest.mark.parametrize(
    'img',
    [
        np.full((8, 9), 7, np.uint8),
        np.full((8, 9, 4), 7, np.uint8),
        np.full((8, 9, 3), 700, np.uint16),
        np.full((8, 9, 5), -7, np.float32),
    ],
    ids=['grey', '4 bands', '16 bits', 'negative'],
)
def test_a_strong_view_has_the_bands_and_the_type_of_its_image(img):
    view = through([{'type': 'StrongAugmentation'}], img)
    assert view.shape == (img.shape[2] if img.ndim == 3 else 1, 8, 9)
    assert view.numpy().dtype == img.dtype


def to_bytes(results):
    return {**results, 'img': results['img'].clip(0, 255).astype(np.uint8)}


def to_colours(results):
    return {**results, 'img': results['img'][..., :3]}


@pytest.mark.parametrize(
    ('change', 'made'), [(to_bytes, '4 bands of uint8'), (to_colours, '3 bands of f')]
)
def test_a_strong_view_of_another_type_or_other_bands_is_refused(change, made):
    with pytest.raises(ValueError, match=f'it made {made}.* of 4 bands of float32'):
        through([change], np.ones((8, 9, 4), np.float32))


def test_a_transform_that_opencv_refuses_names_the_image():
    def coloured(results):
        return {**results, 'img': cv2.cvtColor(results['img'], cv2.COLOR_BGR2HSV)}

    with pytest.raises(ValueError, match='cannot change an image of 1 band of uint8'):
        through([coloured], np.ones((8, 9), np.uint8))
