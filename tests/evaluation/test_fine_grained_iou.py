import pickle

import numpy as np
import pytest
import torch

from mmseg_jml.evaluation import FineGrainedIoUMetric
from tests.evaluation.cases import evaluate, sample, samples
from tests.reference import overlap


def test_the_keys_are_the_references_over_pictures_of_any_size():
    pictures = samples(7)
    found = evaluate(FineGrainedIoUMetric(worst_percent=(40,)), [pictures])
    # One size: the pixels that are missing are ignored.
    maps = np.full((2, 7, 9, 9), 255)
    for i, each in enumerate(pictures):
        for k, field in enumerate(('pred_sem_seg', 'gt_sem_seg')):
            values = each[field]['data'][0].numpy()
            maps[k, i, : values.shape[0], : values.shape[1]] = values
    wanted = overlap.fine_grained(*maps, 4)
    worst = overlap.fine_grained(*maps, 4, percent=40)
    wanted |= {f'{name}_worst40': value for name, value in worst.items()}
    assert found == pytest.approx(
        {f'fine/{name}': 100 * value for name, value in wanted.items()}, abs=1e-10
    )


def test_void_pictures_alone_have_no_keys():
    assert evaluate(FineGrainedIoUMetric(worst_percent=(5,)), [samples(2)[1:]]) == {}


def test_an_entry_of_150_classes_is_small():
    label = torch.randint(0, 150, (50, 60))
    metric = FineGrainedIoUMetric()
    metric.dataset_meta = {'classes': range(150)}
    metric.process({}, [sample(torch.randn(150, 50, 60), label)])
    assert len(pickle.dumps(metric.results, protocol=2)) < 2048


@pytest.mark.parametrize('percent', [0, 100, -5])
def test_a_share_outside_of_its_range_is_refused(percent):
    with pytest.raises(ValueError, match='`worst_percent` must be in'):
        FineGrainedIoUMetric(worst_percent=(percent,))


def test_no_picture_has_no_measure():
    assert FineGrainedIoUMetric().compute_metrics([]) == {}


def probabilities(number=4):
    """Samples of a head of one channel, whose threshold is 0.3."""
    generator = torch.Generator().manual_seed(0)
    return [
        sample(
            torch.rand(1, 6, 8, generator=generator),
            torch.randint(0, 2, (6, 8), generator=generator),
        )
        for _ in range(number)
    ]


def as_two_channels(found):
    """The same decisions by the larger of two logits."""
    return [
        sample(
            torch.cat([1 - each['pred_sem_seg']['data'], each['pred_sem_seg']['data']]),
            each['gt_sem_seg']['data'][0],
        )
        for each in found
    ]


@pytest.mark.parametrize('channels', [1, 2])
def test_two_classes_have_foreground_measures_with_one_channel_or_two(channels):
    given = probabilities()
    maps = [
        np.stack([each[field]['data'][0].numpy() for each in given])
        for field in ('pred_sem_seg', 'gt_sem_seg')
    ]
    wanted = overlap.foreground(*maps)
    given = given if channels == 1 else as_two_channels(given)
    found = evaluate(FineGrainedIoUMetric(), [given], classes=('ground', 'lesion'))
    for key, name in (
        ('foreground_IoU', 'IoU'),
        ('foreground_Dice', 'Dice'),
        ('sensitivity', 'sensitivity'),
        ('specificity', 'specificity'),
    ):
        assert found[f'fine/{key}'] == pytest.approx(100 * wanted[name])


def test_more_classes_have_no_foreground():
    found = evaluate(FineGrainedIoUMetric(), [samples()])
    assert not any('foreground' in key or 'sensitivity' in key for key in found)
