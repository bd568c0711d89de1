"""Options of a test reach its metrics, also inside of an evaluator of another type."""

import argparse

import pytest
from mmengine.config import Config

from mmseg_jml.cli.options import apply_test_options, metrics_of

IOU, CALIBRATION = {'type': 'IoUMetric'}, {'type': 'CalibrationMetric', 'num_bins': 15}
SEMI = {'type': 'SemiEvaluator', 'metrics': [IOU]}


def options(checkpoint, **given):
    off = {'per_image': False, 'out': None, 'tta': False, 'show': False}
    off |= {'show_dir': None, 'confusion_matrix': False}
    return argparse.Namespace(checkpoint=str(checkpoint), **off | given)


def applied(tmp_path, evaluator, **given):
    checkpoint = tmp_path / 'a.pth'
    checkpoint.touch()
    cfg = Config({'test_evaluator': evaluator, 'test_dataloader': {}})
    apply_test_options(cfg, options(checkpoint, **given))
    return cfg


@pytest.mark.parametrize(
    ('evaluator', 'types'),
    [
        (None, []),
        (IOU, ['IoUMetric']),
        ([IOU, CALIBRATION], ['IoUMetric', 'CalibrationMetric']),
        (SEMI, ['IoUMetric']),
        (SEMI | {'metrics': IOU}, ['IoUMetric']),
        ({'metrics': [CALIBRATION]}, ['CalibrationMetric']),
    ],
)
def test_metrics_are_found_wherever_they_are(evaluator, types):
    found = metrics_of(Config({'val_evaluator': evaluator}), 'val')
    assert [metric['type'] for metric in found] == types


@pytest.mark.parametrize('evaluator', [IOU, [IOU, CALIBRATION], SEMI])
def test_a_table_of_pictures_is_asked_of_one_metric(tmp_path, evaluator):
    cfg = applied(tmp_path, evaluator, per_image=True)
    *_, last = metrics_of(cfg, 'test')
    assert last['type'] == 'CalibrationMetric'
    assert last['per_image_csv'] is True
    wrapped = isinstance(cfg.test_evaluator, dict)
    assert wrapped == ('metrics' in evaluator)


@pytest.mark.parametrize('evaluator', [None, IOU, [IOU, CALIBRATION], SEMI])
def test_a_confusion_matrix_is_asked_of_one_metric(tmp_path, evaluator):
    cfg = applied(tmp_path, evaluator, confusion_matrix=True)
    kinds = [metric['type'] for metric in metrics_of(cfg, 'test')]
    assert kinds.count('ConfusionMatrixMetric') == 1
    assert (
        len(kinds) == len(metrics_of(Config({'test_evaluator': evaluator}), 'test')) + 1
    )


@pytest.mark.parametrize('evaluator', [IOU, [IOU], SEMI, [CALIBRATION]])
def test_label_maps_are_written_by_a_hook_whatever_is_measured(tmp_path, evaluator):
    cfg = applied(tmp_path, evaluator, out='maps')
    assert cfg.custom_hooks == [{'type': 'LabelMapHook', 'output_dir': 'maps'}]
    assert metrics_of(cfg, 'test') == metrics_of(
        Config({'test_evaluator': evaluator}), 'test'
    )


@pytest.mark.parametrize('wrapped', [True, False])
def test_a_metric_that_would_only_write_label_maps_is_left_out(tmp_path, wrapped):
    metrics = [IOU | {'format_only': True}, CALIBRATION]
    evaluator = SEMI | {'metrics': metrics} if wrapped else metrics
    cfg = applied(tmp_path, evaluator, out='maps')
    assert metrics_of(cfg, 'test') == [CALIBRATION]
