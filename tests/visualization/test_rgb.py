"""Any image as 8-bit RGB."""

import numpy as np
import pytest

from mmseg_jml.visualization.rgb import rgb_image

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)


@pytest.mark.parametrize('kind', [np.uint8, np.uint16, np.float32, np.int64])
def test_eight_bits_stay_as_they_are_in_any_type(kind):
    np.testing.assert_array_equal(rgb_image(PIXELS.astype(kind), bgr=False), PIXELS)
    flipped = rgb_image(PIXELS.astype(kind), bgr=True)
    np.testing.assert_array_equal(flipped, PIXELS[..., ::-1])


@pytest.mark.parametrize('shape', [(4, 6), (4, 6, 1), (4, 6, 2)])
def test_less_than_three_bands_are_grey(shape):
    image = np.resize(PIXELS, shape)
    first = image.reshape(4, 6, -1)[..., :1]
    shown = rgb_image(image, bgr=True)
    np.testing.assert_array_equal(shown, np.repeat(first, 3, 2))


def test_more_than_three_bands_show_the_first_three():
    more = np.concatenate([PIXELS, PIXELS], 2)
    np.testing.assert_array_equal(rgb_image(more, bgr=False), PIXELS)


@pytest.mark.parametrize('scale', [1e-3, 16.0, 1e4])
def test_other_values_are_stretched_alike_whatever_their_unit(scale):
    image = PIXELS.astype(np.float64) * scale - 7
    shown = rgb_image(image, bgr=False)
    assert (shown.min(), shown.max()) == (0, 255)
    order = np.argsort(image.ravel(), kind='stable')
    assert (np.diff(shown.ravel()[order].astype(int)) >= 0).all()


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_what_is_no_number_is_zero(value):
    image = np.zeros((2, 2, 3), np.float32)
    image[0, 0] = value
    assert rgb_image(image, bgr=True).max() == 0


@pytest.mark.parametrize('shape', [(4,), (0, 3, 3), (2, 2, 0), (1, 2, 3, 4)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r'`image` must be \(H, W\)'):
        rgb_image(np.zeros(shape), bgr=True)
