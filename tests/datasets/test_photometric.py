import colorsys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_jml.datasets import StrongAugmentation
from mmseg_jml.datasets.photometric import turn_hue

UNTOUCHED = {'jitter_prob': 0, 'grey_prob': 0, 'blur_prob': 0}
EVERYTHING = {'jitter_prob': 1, 'grey_prob': 1, 'blur_prob': 1}
IMAGES = {  # what MMSegmentation's loaders give, or pipelines make of it
    'grey (H,W)': ('uint8', (20, 30), 0, 255),
    'grey (H,W,1)': ('uint8', (20, 30, 1), 0, 255),
    'four bands': ('uint8', (20, 30, 4), 0, 255),
    '13 bands of 16 bits': ('uint16', (20, 30, 13), 0, 65535),
    'heights in 16 bits': ('int16', (20, 30), -400, 8000),
    'colours of 16 bits': ('uint16', (20, 30, 3), 0, 65535),
    'reflectance': ('float32', (20, 30, 3), 0, 10_000),
    'normalized': ('float32', (20, 30, 5), -2, 2),
    'normalized colours': ('float32', (20, 30, 3), -2, 2),
    'float64': ('float64', (20, 30, 3), 0, 1),
}


def picture(seed=0, size=(20, 30)):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), np.uint8)


def image(name, seed=0):
    kind, shape, low, high = IMAGES[name]
    rng = np.random.default_rng(seed)
    return rng.uniform(low, high, shape).astype(kind)


@pytest.mark.parametrize('name', IMAGES)
def test_every_image_keeps_its_type_its_shape_and_finite_values(name):
    img = image(name)
    for seed in range(5):
        np.random.seed(seed)
        found = StrongAugmentation(**EVERYTHING)({'img': img})['img']
        assert (found.dtype, found.shape) == (img.dtype, img.shape)
        assert np.isfinite(found).all()
        assert not np.array_equal(found, img)


@pytest.mark.parametrize('name', ['reflectance', 'normalized', 'normalized colours'])
def test_floating_values_scale_with_the_image(name):
    """So that no value is special: neither 0 nor 255 is a bound."""
    img = image(name)

    def augmented(values):
        np.random.seed(3)
        return StrongAugmentation(**EVERYTHING)({'img': values})['img']

    np.testing.assert_allclose(augmented(4 * img), 4 * augmented(img), rtol=1e-4)


@pytest.mark.parametrize('name', ['four bands', 'normalized'])
def test_bands_that_are_no_colours_change_alone(name):
    """What happens to a band does not depend on the others, nor does it leave it."""
    img = image(name)

    def augmented(values):
        np.random.seed(3)
        return StrongAugmentation(**EVERYTHING)({'img': values})['img']

    whole = augmented(img)
    for band in range(img.shape[2]):
        alone = augmented(img[..., [band]])[..., 0].astype(float)
        np.testing.assert_allclose(alone, whole[..., band], rtol=1e-5, atol=1e-6)


def test_integers_are_clipped_at_the_range_of_their_type():
    img = np.full((4, 4), 60_000, np.uint16)
    with mock.patch.object(np.random, 'uniform', side_effect=[np.full(3, 1.5), 0]):
        bright = StrongAugmentation(**{**UNTOUCHED, 'jitter_prob': 1})({'img': img})
    assert (bright['img'] == 65535).all()


def test_values_are_clipped_at_the_range_that_is_given():
    img = np.full((4, 4), 4000, np.uint16)
    augment = StrongAugmentation(
        **{**UNTOUCHED, 'jitter_prob': 1}, value_range=(0, 4095)
    )
    with mock.patch.object(np.random, 'uniform', side_effect=[np.full(3, 1.5), 0]):
        assert (augment({'img': img})['img'] == 4095).all()


def test_the_hue_stays_where_a_value_is_negative():
    img = image('normalized colours')
    assert np.array_equal(turn_hue(img, 0.2), img)


@pytest.mark.parametrize('turns', [-0.25, -0.1, 0.0, 0.2, 0.5])
def test_the_hue_turns_as_a_circle_does(turns):
    img = picture().astype(np.float32)
    expected = np.empty_like(img)
    for place in np.ndindex(img.shape[:2]):
        hue, saturation, value = colorsys.rgb_to_hsv(*img[place][::-1].tolist())
        turned = colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value)
        expected[place] = turned[::-1]
    np.testing.assert_allclose(turn_hue(img, turns), expected, atol=0.01)


@pytest.mark.parametrize('kind', [bool, complex])
def test_an_image_of_another_type_is_refused(kind):
    with pytest.raises(TypeError, match='images of integers or floating numbers, got'):
        StrongAugmentation()({'img': np.zeros((4, 4), kind)})


def test_an_image_of_four_axes_is_refused():
    with pytest.raises(ValueError, match=r'got \(4, 4, 4, 1\)'):
        StrongAugmentation()({'img': np.zeros((4, 4, 4, 1), np.uint8)})


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
    assert np.abs(found - img).max() <= 1


def test_a_jitter_multiplies_the_brightness_by_up_to_its_range(monkeypatch):
    monkeypatch.setattr(
        np.random, 'uniform', lambda low, high, n=None: _highest(high, n)
    )
    grey = np.full((4, 4, 3), 100, np.uint8)
    augment = StrongAugmentation(**{**UNTOUCHED, 'jitter_prob': 1}, jitter=0.3)
    found = augment({'img': grey})['img'].astype(int)
    assert (found == 130).all()


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
        ('value_range', (255, 0)),
    ],
)
def test_options_outside_of_their_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f'`{name}` must be'):
        StrongAugmentation(**{name: value})
