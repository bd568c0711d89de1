from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_jml.datasets.splits import (
    count_pictures,
    grouped_order,
    split_order,
    split_sizes,
)
from tests.datasets.semi_cases import CLASSES, SIZE, plain, write_pictures


def skewed(number=400):
    """Pictures of two common classes and eight that each occur in few of them."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(100, 1000, (number, 10))
    pixels[:, 2:] *= rng.random((number, 8)) < 0.05
    return pixels


def distance(pixels, chosen):
    """Sum over classes of (share - whole)^2 / whole."""
    whole = pixels.sum(0) / pixels.sum()
    share = pixels[chosen].sum(0) / pixels[chosen].sum()
    return (((share - whole) ** 2)[whole > 0] / whole[whole > 0]).sum()


@pytest.mark.parametrize('balanced', [False, True])
@given(seed=st.integers(0, 2**31 - 1), number=st.integers(1, 90))
@settings(max_examples=15, deadline=None)
def test_every_picture_has_one_place_in_the_order(balanced, seed, number):
    pixels = skewed()[:number]
    options = {'seed': seed, 'class_balanced': balanced, 'most': number // 2}
    order = split_order(pixels, **options)
    assert sorted(order.tolist()) == list(range(number))
    assert np.array_equal(order, split_order(pixels, **options))


@pytest.mark.parametrize('balanced', [False, True])
def test_another_seed_chooses_other_pictures(balanced):
    first, other = (
        split_order(skewed(), seed=seed, class_balanced=balanced, most=50)[:50].tolist()
        for seed in (0, 1)
    )
    assert set(first) != set(other)


def test_a_larger_split_holds_a_smaller_one_however_many_are_balanced():
    small = split_order(skewed(), class_balanced=True, most=25)[:25]
    large = split_order(skewed(), class_balanced=True, most=200)[:200]
    assert small.tolist() == large[:25].tolist()


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('size', [25, 100])
def test_a_balanced_split_is_far_closer_to_the_whole_than_a_random_one(seed, size):
    pixels = skewed()
    options = {'seed': seed, 'most': size}
    balanced = split_order(pixels, class_balanced=True, **options)[:size]
    random = split_order(pixels, **options)[:size]
    assert distance(pixels, balanced) < distance(pixels, random) / 5


def test_pictures_without_a_labelled_pixel_are_split_too():
    pixels = np.zeros((6, 3), int)
    order = split_order(pixels, class_balanced=True, most=3)
    assert sorted(order.tolist()) == list(range(6))


@pytest.mark.parametrize(
    ('number', 'sizes'),
    [(2975, [1488, 744, 372, 186]), (10582, [5291, 2646, 1323, 662])],
    ids=['Cityscapes', 'VOC'],
)
def test_sizes_are_those_of_the_literature(number, sizes):
    fractions = [Fraction(1, n) for n in (2, 4, 8, 16)]
    assert list(split_sizes(number, fractions).values()) == sizes


@pytest.mark.parametrize('fraction', [Fraction(0), Fraction(1), Fraction(-1, 2)])
def test_a_fraction_outside_of_0_and_1_is_refused(fraction):
    with pytest.raises(
        ValueError, match=f'between 0 and 1, such as 1/8, got {fraction}'
    ):
        split_sizes(100, [fraction])


def test_a_split_that_leaves_nothing_unlabelled_is_refused():
    with pytest.raises(ValueError, match=r'1/2 of 1 images leaves none without'):
        split_sizes(1, [Fraction(1, 2)])


def test_pictures_are_named_and_counted_as_the_training_reads_them(tmp_path):
    write_pictures(tmp_path, 3)
    dataset = plain(tmp_path)
    dataset.data_list.reverse()
    counted = count_pictures(dataset, workers=1)
    assert counted.ids == ['000', '001', '002']
    assert tuple(counted.classes) == CLASSES
    ignored = 6 * 6
    assert counted.pixels.sum(1).tolist() == [SIZE[0] * SIZE[1] - ignored] * 3


def test_a_bad_mask_is_refused_by_path(tmp_path):
    write_pictures(tmp_path, 2)
    path = tmp_path / 'ann' / '001.png'
    path.write_bytes(b'')
    with pytest.raises(ValueError, match=f'mask {path} is not a readable image'):
        count_pictures(plain(tmp_path), workers=1)


def test_pictures_that_are_their_own_groups_have_the_order_of_no_groups():
    pixels, names = skewed(60), [f'{i:03}' for i in range(60)]
    order, ends = grouped_order(pixels, names, seed=4, class_balanced=True, most=30)
    plain = split_order(pixels, seed=4, class_balanced=True, most=30)
    assert order.tolist() == plain.tolist()
    assert ends.tolist() == list(range(1, 61))


@given(seed=st.integers(0, 99), number=st.integers(1, 12))
@settings(max_examples=15, deadline=None)
def test_the_order_of_groups_keeps_each_together(seed, number):
    groups = [str(i % number) for i in range(60)]
    order, ends = grouped_order(skewed(60), groups, seed=seed)
    found = [{groups[i] for i in part} for part in np.split(order, ends[:-1])]
    assert sorted(order.tolist()) == list(range(60))
    assert sorted(map(len, found)) == [1] * number
