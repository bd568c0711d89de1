import csv
import pickle

import numpy as np
import pytest
import torch

from mmseg_jml.evaluation import CalibrationMetric
from mmseg_jml.evaluation.entries import pack, unpack
from mmseg_jml.functional import bin_tables, expected_calibration_error
from tests.evaluation.cases import CLASSES, evaluate, sample, samples
from tests.reference import calibration as reference
from tests.reference import overlap
from tests.reference.boundary import boundary_mask

MEASURES = ('ECE', 'MCE', 'RMSCE', 'Gap', 'Conf', 'Acc')


def pixels(pictures, kernel_size=3):
    """Float64 arrays of the valid pixels: confidence, correct, NLL, Brier, boundary.

    The confidence is that of float32, which decides the bins.
    """
    parts = []
    for each in pictures:
        logits = each['seg_logits']['data'][None].numpy()
        label = each['gt_sem_seg']['data'].numpy()
        rows = reference.pixel_scores(logits, label)
        boundary = boundary_mask(label, kernel_size)[label != 255]
        parts += [(*row, b) for row, b in zip(rows, boundary, strict=True)]
    return [np.array(column) for column in zip(*parts, strict=True)]


def as_double(pictures):
    for each in pictures:
        each['seg_logits']['data'] = each['seg_logits']['data'].double()
    return pictures


def expected(pictures, num_bins=10, closed='left', kernel_size=3):
    confidence, correct, nll, brier, boundary = pixels(pictures, kernel_size)
    regions = {'': np.ones_like(correct), 'B': boundary, 'I': ~boundary}
    found = {}
    for prefix, region in regions.items():
        if region.any():
            measures = reference.measures(
                confidence[region], correct[region], num_bins, closed
            )
            found |= {f'{prefix}{name}': 100 * v for name, v in measures.items()}
            found[f'{prefix}NLL'] = nll[region].mean()
            found[f'{prefix}Brier'] = brier[region].mean()
    return found


def test_the_default_keys_are_those_of_one_shot():
    pictures = as_double(samples())
    found = evaluate(CalibrationMetric(), [pictures])
    wanted = {f'calib/{name}': value for name, value in expected(pictures).items()}
    assert found == pytest.approx(wanted, rel=0, abs=1e-10)


def test_choices_that_are_not_the_default_are_named():
    pictures = as_double(samples(3, seed=1))
    metric = CalibrationMetric(num_bins=15, closed='right', kernel_size=5)
    found = evaluate(metric, [pictures])
    wanted = expected(pictures, 15, 'right', kernel_size=5)
    names = {
        'ECE': 'ECE_bins15_right',
        'Acc': 'Acc',
        'BECE': 'BECE_bins15_right_k5',
        'INLL': 'INLL_k5',
    }
    for name, key in names.items():
        assert found[f'calib/{key}'] == pytest.approx(wanted[name], abs=1e-10)
    assert len(found) == 24


@pytest.mark.parametrize('size', [1, 2, 5])
def test_batches_change_nothing(size):
    options = dict(image_level=True, per_class=True, class_wise=True, adaptive=True)
    pictures = samples(7)
    batches = [pictures[i : i + size] for i in range(0, 7, size)]
    whole = evaluate(CalibrationMetric(**options), [pictures])
    found = evaluate(CalibrationMetric(**options), batches)
    assert found == whole


def test_the_image_form_is_the_mean_over_pictures_that_have_pixels():
    pictures = as_double(samples(5, seed=2))
    pictures[3]['gt_sem_seg']['data'][:] = 0  # no boundary
    found = evaluate(CalibrationMetric(image_level=True), [pictures])
    each = [expected([p]) for p in pictures if (p['gt_sem_seg']['data'] != 255).any()]
    for name in ('ECE', 'BECE', 'IAcc', 'BNLL', 'Brier', 'MCE'):
        values = [e[name] for e in each if name in e]
        mean = sum(values) / len(values)
        assert found[f'calib/{name}_image'] == pytest.approx(mean, abs=1e-10)


def test_classwise_errors_take_every_class_at_every_pixel():
    pictures = as_double(samples(2, seed=3)[:1])
    found = evaluate(CalibrationMetric(class_wise=True), [pictures])
    logits = pictures[0]['seg_logits']['data'][None].numpy()
    errors = reference.classwise_errors(
        logits, pictures[0]['gt_sem_seg']['data'].numpy(), 10
    )
    names = ('road', 'car', 'traffic-light', 'never')
    wanted = {f'calib/cwECE.{n}': 100 * e for n, e in zip(names, errors, strict=True)}
    wanted['calib/cwECE'] = 100 * sum(errors) / 4
    found = {key: value for key, value in found.items() if 'cwECE' in key}
    assert found == pytest.approx(wanted, rel=0, abs=1e-10)


def test_per_class_errors_take_the_pixels_predicted_as_the_class():
    pictures = []
    for each in as_double(samples(3, seed=4)):
        logits = each['seg_logits']['data']
        logits[3] = -50  # nobody predicts the last class
        pictures.append(sample(logits, each['gt_sem_seg']['data'][0]))
    metric = CalibrationMetric(per_class=True)
    found = evaluate(metric, [pictures])
    confidence, correct, *_ = pixels(pictures)
    predicted = np.concatenate(
        [
            p['pred_sem_seg']['data'][p['gt_sem_seg']['data'] != 255].numpy()
            for p in pictures
        ]
    )
    errors = {
        name: 100 * reference.measures(confidence[at], correct[at], 10)['ECE']
        for c, name in enumerate(('road', 'car', 'traffic-light'))
        for at in [predicted == c]
    }
    assert {k: v for k, v in found.items() if 'ECE.' in k} == pytest.approx(
        {f'calib/ECE.{name}': value for name, value in errors.items()}, abs=1e-10
    )
    assert found['calib/mECE'] == pytest.approx(sum(errors.values()) / 3, abs=1e-10)
    assert metric.tables['class/never'].count.sum() == 0


def test_tables_are_kept_for_whoever_draws_them():
    metric = CalibrationMetric(class_wise=True, per_class=True)
    found = evaluate(metric, [samples()])
    tables = metric.tables
    assert set(tables) == {
        'all',
        'boundary',
        'interior',
        *(f'{kind}/{name}' for kind in ('class', 'classwise') for name in CLASSES),
    }
    error = expected_calibration_error(tables['boundary'])
    assert found['calib/BECE'] == pytest.approx(100 * error, abs=1e-10)
    parts = tables['boundary'].count + tables['interior'].count
    assert torch.equal(tables['all'].count, parts)
    assert tables['all'].count.dtype == torch.int64


def test_adaptive_errors_share_the_fine_bins():
    pictures = as_double(samples(3, seed=5))
    found = evaluate(CalibrationMetric(adaptive=True, num_bins=7), [pictures])
    confidence, correct, *_ = pixels(pictures)
    error = reference.adaptive_error(confidence, correct, 7, ties=2**10)
    assert found['calib/AECE_bins7'] == pytest.approx(100 * error, abs=0.1)
    assert {'calib/BAECE_bins7', 'calib/IAECE_bins7'} <= set(found)


@pytest.mark.parametrize('options', [{}, {'num_bins': 15}, {'adaptive': False}])
def test_an_entry_is_small(options):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(19, 200, 300, generator=generator) * 4
    label = torch.randint(0, 19, (200, 300), generator=generator)
    metric = CalibrationMetric(image_level=True, bootstrap=10, **options)
    metric.process({}, [sample(logits, label)])
    assert len(pickle.dumps(metric.results, protocol=2)) < 2048


def test_packing_keeps_a_table():
    confidence = torch.tensor([0.1, 0.95, 0.55, 0.55])
    group = torch.tensor([0, 2, 1, 1])
    table = bin_tables(confidence, confidence > 0.5, group, 3)
    packed = pack(table)
    assert packed.index.tolist() == [1, 15, 29]
    for ours, theirs in zip(unpack(packed), table, strict=True):
        assert torch.equal(ours, theirs)


def test_void_pictures_alone_have_no_keys():
    options = dict(
        image_level=True,
        per_class=True,
        class_wise=True,
        adaptive=True,
        bootstrap=10,
    )
    metric = CalibrationMetric(**options)
    assert evaluate(metric, [samples(2)[1:], samples(2)[1:]]) == {}
    assert metric.tables['all'].count.sum() == 0


def test_void_pictures_change_nothing():
    pictures = samples(3)
    options = dict(image_level=True, class_wise=True)
    with_void = evaluate(CalibrationMetric(**options), [pictures])
    without = evaluate(CalibrationMetric(**options), [pictures[:1] + pictures[2:]])
    assert with_void == pytest.approx(without, rel=1e-12)


def test_what_is_ignored_changes_nothing():
    pictures = samples()
    changed = samples()
    for each in changed:
        ignored = each['gt_sem_seg']['data'][0] == 255
        each['seg_logits']['data'][:, ignored] = 7.0
        each['pred_sem_seg']['data'][:, ignored] = 2
    options = dict(class_wise=True, per_class=True, adaptive=True)
    before = evaluate(CalibrationMetric(**options), [pictures])
    assert evaluate(CalibrationMetric(**options), [changed]) == before


def test_padded_duplicates_are_cut():
    pictures = samples()
    once = evaluate(CalibrationMetric(), [pictures])
    assert evaluate(CalibrationMetric(), [pictures, pictures[:2]], size=6) == once


def test_regions_choose_the_keys():
    found = evaluate(
        CalibrationMetric(regions=['boundary'], adaptive=True), [samples()]
    )
    assert all(key.startswith('calib/B') for key in found)
    assert 'calib/BAECE' in found


@pytest.mark.parametrize('threshold', [0.3, 0.6])
def test_a_binary_heads_accuracy_is_that_of_its_threshold(threshold):
    generator = torch.Generator().manual_seed(0)
    probs = torch.rand(1, 20, 30, generator=generator)
    label = torch.bernoulli(probs[0], generator=generator).long()
    label[0] = 255
    picture = sample(probs, label, threshold=threshold)
    metric = CalibrationMetric(per_class=True, class_wise=True)
    found = evaluate(metric, [[picture]], classes=('ground', 'thing'))
    right = (picture['pred_sem_seg']['data'][0] == label)[label != 255]
    assert found['calib/Acc'] == pytest.approx(100 * right.double().mean().item())
    decided = torch.where(probs > threshold, probs, 1 - probs)[0][label != 255]
    assert found['calib/Conf'] == pytest.approx(100 * decided.double().mean().item())


def test_an_interval_holds_the_value_and_shrinks_with_pictures():
    def width(number):
        pictures = [p for i, p in enumerate(samples(number, seed=6)) if i != 1]
        found = evaluate(CalibrationMetric(bootstrap=200), [pictures])
        low, high = found['calib/Acc_low'], found['calib/Acc_high']
        assert low < found['calib/Acc'] < high
        assert {'calib/BECE_low', 'calib/INLL_high'} <= set(found)
        return high - low

    assert width(160) < 0.6 * width(10)


def test_the_interval_is_that_of_its_seed():
    def found(seed):
        return evaluate(CalibrationMetric(bootstrap=50, seed=seed), [samples()])

    assert found(1) == found(1)
    assert found(1) != found(2)


def test_one_row_for_each_picture(tmp_path):
    pictures = as_double(samples(4, seed=7))
    pictures[3]['gt_sem_seg']['data'][:] = 2
    metric = CalibrationMetric(per_image_csv=True, output_dir=str(tmp_path))
    evaluate(metric, [pictures])
    assert [path.name for path in tmp_path.iterdir()] == ['calib_per_image.csv']
    with (tmp_path / 'calib_per_image.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['name'] for row in rows] == ['0.png', '1.png', '2.png', '3.png']
    wanted = expected(pictures[:1])
    for name in ('ECE', 'BECE', 'NLL'):
        assert float(rows[0][name]) == pytest.approx(wanted[name], rel=1e-5)
    prediction, label = (
        pictures[0][field]['data'].numpy() for field in ('pred_sem_seg', 'gt_sem_seg')
    )
    for c, name in enumerate(CLASSES):
        both, predicted, labelled = overlap.areas(prediction, label, c)
        assert int(rows[0][f'intersection.{name}']) == both
        assert int(rows[0][f'union.{name}']) == predicted + labelled - both
    miou = overlap.fine_grained(prediction, label, 4)['mIoU_I']
    assert float(rows[0]['mIoU']) == pytest.approx(100 * miou, rel=1e-5)
    assert rows[1]['mIoU'] == rows[1]['ECE'] == rows[1]['NLL'] == ''  # void
    assert rows[3]['ECE'] != ''
    assert rows[3]['BECE'] == ''  # one class: no boundary


@pytest.mark.parametrize('batch', [None, [], {}], ids=str)
def test_what_the_batch_was_is_asked_of_augmented_ones_alone(batch):
    metric = CalibrationMetric()
    metric.process(batch, samples())
    assert len(metric.results) == len(samples())
