"""Metrics of two models, told apart by their keys."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import EVALUATOR
from mmseg.structures import SegDataSample

from mmseg_jml.evaluation.tta import MERGED

META = {'classes': ('a', 'b'), 'palette': [[0, 0, 0], [1, 1, 1]]}
LABEL = torch.tensor([[[0, 0, 1, 1]]])


def evaluator():
    init_default_scope('mmseg')
    metrics = {'type': 'IoUMetric', 'iou_metrics': ['mIoU']}
    built = EVALUATOR.build({'type': 'SemiEvaluator', 'metrics': [metrics]})
    built.dataset_meta = META
    return built


def sample(wrong, name, student=None, **meta):
    """A picture of four pixels, the first of which are wrong."""
    prediction = LABEL.clone()
    prediction[..., :wrong] = 1 - prediction[..., :wrong]
    found = SegDataSample(
        gt_sem_seg=PixelData(data=LABEL),
        pred_sem_seg=PixelData(data=prediction),
        metainfo={'eval_model': name, **meta},
    )
    if student is not None:
        found.student = student
    return found


def measured(built, samples):
    for each in samples:
        built.process([each])
    found = built.evaluate(len(samples))
    return {key: value for key, value in found.items() if key.endswith('aAcc')}


@pytest.mark.parametrize('name', ['ema', 'student'])
def test_the_key_names_the_model_that_predicted(name):
    samples = [sample(1, name), sample(3, name)]
    assert measured(evaluator(), samples) == {f'{name}/aAcc': 50.0}


def test_two_models_are_measured_apart():
    samples = [sample(wrong, 'ema', sample(0, 'student')) for wrong in (1, 2)]
    found = measured(evaluator(), samples)
    assert found == {'ema/aAcc': 62.5, 'student/aAcc': 100.0}


def test_every_evaluation_begins_anew():
    built = evaluator()
    measured(built, [sample(1, 'ema', sample(2, 'student'))])
    assert measured(built, [sample(0, 'ema')]) == {'ema/aAcc': 100.0}
    again = measured(built, [sample(0, 'ema', sample(4, 'student'))])
    assert again == {'ema/aAcc': 100.0, 'student/aAcc': 0.0}


def test_the_metrics_are_those_of_the_first_model():
    built = evaluator()
    built.process([sample(1, 'ema', sample(2, 'student'))])
    assert len(built.metrics[0].results) == 1
    assert built.metrics[0].results[0][0].sum() == 3  # right pixels


def test_what_was_merged_over_augmentations_is_measured_alone():
    samples = [sample(1, 'ema', sample(2, 'student'), **{MERGED: True})]
    assert measured(evaluator(), samples) == {'ema/aAcc': 75.0}


def test_predictions_of_another_model_are_refused():
    plain = sample(0, 'ema')
    del plain.eval_model
    with pytest.raises(
        ValueError, match=r'SemiEvaluator measures .* a list of metrics'
    ):
        evaluator().process([plain])


def test_files_are_those_of_the_first_model(tmp_path):
    init_default_scope('mmseg')
    metrics = [
        {'type': 'CalibrationMetric', 'per_image_csv': True, 'output_dir': 'first'},
        {'type': 'IoUMetric', 'output_dir': str(tmp_path)},
    ]
    built = EVALUATOR.build({'type': 'SemiEvaluator', 'metrics': metrics})
    assert [built.metrics[0].per_image_csv, built.metrics[1].output_dir] == [
        True,
        str(tmp_path),
    ]
    (calibration, iou) = built.students.metrics
    assert [calibration.per_image_csv, iou.output_dir] == [False, None]
