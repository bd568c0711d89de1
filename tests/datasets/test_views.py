from unittest import mock

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmseg.models import SegDataPreProcessor

from mmseg_jml.datasets import Draw, StrongAugmentation
from mmseg_jml.datasets.views import PADDING, UNKNOWN, PackViews
from tests.datasets.semi_cases import CLASSES, build, write_lists, write_pictures

UNTOUCHED = {'jitter_prob': 0, 'grey_prob': 0, 'blur_prob': 0}


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


def picture(seed=0, size=(20, 30)):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), np.uint8)


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
    assert set(label.unique().tolist()) <= {*range(len(CLASSES)), UNKNOWN}


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
    assert any((each == UNKNOWN).any() for each in maps)
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
    with pytest.raises(ValueError, match='`strong` must hold photometric transforms'):
        build(folder, strong=[moving])[2]


def test_a_pipeline_that_packs_unlabelled_pictures_is_refused():
    with pytest.raises(ValueError, match='must load by LoadOptionalAnnotations'):
        PackViews([])({'inputs': 1, 'data_samples': 2})


@pytest.mark.parametrize('number', [-1, 3, 'two'])
def test_another_number_of_strong_views_is_refused(number):
    with pytest.raises(ValueError, match='`strong_views` must be 0, 1 or 2'):
        PackViews([], number)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_strong_augmentation_of_a_plain_picture_leaves_it_plain(seed):
    np.random.seed(seed)
    plain = np.full((16, 24, 3), (40, 120, 200), np.uint8)
    found = StrongAugmentation()({'img': plain})['img']
    assert (found.shape, found.dtype) == (plain.shape, plain.dtype)
    assert (found == found[0, 0]).all()


def test_strong_augmentation_leaves_the_given_picture_alone():
    img = picture()
    before = img.copy()
    np.random.seed(0)
    for _ in range(10):
        StrongAugmentation()({'img': img})
    assert np.array_equal(img, before)


def test_at_probability_zero_nothing_changes():
    img = picture()
    found = StrongAugmentation(**UNTOUCHED)({'img': img})['img']
    assert np.array_equal(found, img)


def test_a_jitter_of_nothing_changes_at_most_rounding():
    img = picture()
    augment = StrongAugmentation(**{**UNTOUCHED, 'jitter_prob': 1}, jitter=0, hue=0)
    found = augment({'img': img})['img'].astype(int)
    # HSV has 256 steps of hue: there and back costs a few grey values.
    assert np.abs(found - img).max() <= 10
    assert np.abs(found - img).mean() < 1


def test_a_jitter_multiplies_the_brightness_by_up_to_its_range(monkeypatch):
    monkeypatch.setattr(
        np.random, 'uniform', lambda low, high, n=None: _highest(high, n)
    )
    grey = np.full((4, 4, 3), 100, np.uint8)
    augment = StrongAugmentation(**{**UNTOUCHED, 'jitter_prob': 1}, jitter=0.3)
    found = augment({'img': grey})['img'].astype(int)
    assert np.abs(found - 130).max() <= 2  # each step rounds down


def _highest(high, number):
    return high if number is None else np.full(number, high)


def test_grey_pictures_have_equal_channels():
    augment = StrongAugmentation(**{**UNTOUCHED, 'grey_prob': 1})
    found = augment({'img': picture()})['img']
    assert (found == found[..., :1]).all()


def test_blur_takes_the_variance_of_noise_as_a_gaussian_does():
    """Of white noise a Gaussian of deviation s leaves 1 / (4 pi s^2)."""
    sigma = 1.5
    augment = StrongAugmentation(
        **{**UNTOUCHED, 'blur_prob': 1}, blur_sigma=(sigma, sigma)
    )
    noise = picture(size=(128, 128))
    left = augment({'img': noise})['img'].var() / noise.var()
    assert left == pytest.approx(1 / (4 * np.pi * sigma**2), rel=0.1)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('jitter', 1.5),
        ('jitter', -0.1),
        ('hue', 0.6),
        ('jitter_prob', 2),
        ('grey_prob', -1),
        ('blur_prob', 1.1),
        ('blur_sigma', (0, 1)),
        ('blur_sigma', (2, 1)),
    ],
)
def test_options_outside_of_their_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f'`{name}` must be'):
        StrongAugmentation(**{name: value})


@pytest.mark.parametrize('turns', [-0.25, -0.1, 0.0, 0.2])
def test_the_hue_turns_as_a_circle_does(turns):
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    hue = cv2.cvtColor(image, cv2.COLOR_BGR2HSV_FULL).astype(int)
    hue[..., 0] = (hue[..., 0] + int(turns * 255)) % 256
    expected = cv2.cvtColor(hue.astype(np.uint8), cv2.COLOR_HSV2BGR_FULL)
    with mock.patch.object(np.random, 'uniform', side_effect=[np.ones(3), turns]):
        augment = StrongAugmentation(jitter_prob=1, grey_prob=0, blur_prob=0)
        turned = augment({'img': image.copy()})['img']
    assert np.array_equal(turned, expected)
