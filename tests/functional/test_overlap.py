import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.functional import (
    Areas,
    class_areas,
    fine_grained_measures,
)
from mmseg_jml.functional.overlap import foreground_measures, picture_measures
from tests.functional.cases import laws, random_label, seeds
from tests.reference import overlap as reference


def pictures(seed, number=5, num_classes=4):
    """Predictions and labels; classes are absent and pictures void now and then."""
    rng = np.random.default_rng(seed)
    some = max(1, int(rng.integers(1, num_classes + 1)))
    label = random_label(rng, (number, 3, 4), some)
    label[rng.random(number) < 0.2] = 255
    prediction = rng.integers(0, num_classes, label.shape)
    return torch.from_numpy(prediction), torch.from_numpy(label)


@given(seed=seeds)
@laws
def test_areas_are_counted_pixel_by_pixel(seed):
    prediction, label = pictures(seed)
    found = class_areas(prediction, label, 4)
    for i in range(len(label)):
        for c in range(4):
            expected = reference.areas(prediction[i].numpy(), label[i].numpy(), c)
            assert tuple(part[i, c].item() for part in found) == expected


@pytest.mark.parametrize('percent', [100, 60, 20, 1])
@given(seed=seeds)
@laws
def test_the_forms_are_the_references(percent, seed):
    prediction, label = pictures(seed)
    found = fine_grained_measures(class_areas(prediction, label, 4), percent)
    expected = reference.fine_grained(prediction.numpy(), label.numpy(), 4, percent)
    assert found == pytest.approx(expected, rel=0, abs=1e-12)


@given(seed=seeds, order=st.permutations(range(5)))
@laws
def test_the_order_of_pictures_does_not_matter(seed, order):
    areas = class_areas(*pictures(seed), 4)
    turned = Areas(*(part[list(order)] for part in areas))
    assert fine_grained_measures(turned) == pytest.approx(fine_grained_measures(areas))


def test_a_class_that_nobody_has_changes_nothing():
    prediction, label = pictures(3)
    fewer = fine_grained_measures(class_areas(prediction, label, 4))
    assert fine_grained_measures(class_areas(prediction, label, 9)) == fewer


def test_pictures_without_a_valid_pixel_change_nothing():
    prediction, label = pictures(5)
    void = torch.cat([label, torch.full_like(label[:2], 255)])
    more = class_areas(torch.cat([prediction, prediction[:2]]), void, 4)
    assert fine_grained_measures(more) == fine_grained_measures(
        class_areas(prediction, label, 4)
    )


def test_nothing_valid_has_no_measure():
    label = torch.full((2, 3), 255)
    areas = class_areas(torch.zeros(2, 3).long(), label, 2)
    assert fine_grained_measures(areas) == {}
    assert fine_grained_measures(areas, 50) == {}
    assert not picture_measures(areas)[1].any()


def test_a_perfect_prediction_is_one_in_every_form():
    _, label = pictures(7)
    prediction = label.where(label != 255, 0)
    found = fine_grained_measures(class_areas(prediction, label, 4))
    assert set(found.values()) == {1.0}


def test_only_the_worst_picture_is_left_at_a_small_percent():
    areas = class_areas(*pictures(11, number=6), 4)
    measures, some = picture_measures(areas)
    worst = fine_grained_measures(areas, 1)
    assert worst['mIoU_I'] == measures['mIoU'][some].min().item()


@pytest.mark.parametrize('name', ['label', 'prediction'])
def test_a_class_beyond_the_last_is_refused(name):
    maps = {'label': torch.zeros(1, 2).long(), 'prediction': torch.zeros(1, 2).long()}
    maps[name][0, 1] = 3
    with pytest.raises(ValueError, match=f'`{name}` must be a class below 3, got 3'):
        class_areas(num_classes=3, **maps)


@pytest.mark.parametrize('percent', [0, -1, 101])
def test_a_share_outside_of_its_range_is_refused(percent):
    areas = class_areas(*pictures(1), 4)
    with pytest.raises(ValueError, match='`worst_percent` must be in'):
        fine_grained_measures(areas, percent)


@given(seed=seeds)
@laws
def test_foreground_measures_are_those_of_their_definitions(seed):
    prediction, label = pictures(seed, num_classes=2)
    found = foreground_measures(class_areas(prediction, label, 2))
    assert found == pytest.approx(
        reference.foreground(prediction.numpy(), label.numpy())
    )


def test_foreground_measures_of_three_classes_are_refused():
    with pytest.raises(ValueError, match='of two classes, background and foreground'):
        foreground_measures(class_areas(*torch.zeros(2, 1, 4).long(), 3))
