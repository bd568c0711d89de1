import math

import numpy as np
import pytest

from mmseg_jml.experiments.report.curves import (
    Curve,
    curve_panels,
    find_work_dirs,
    mean_band,
    metrics_of,
    read_curve,
)
from mmseg_jml.experiments.run.logs import Log, read_log
from tests.experiments.folders import write_log, write_test


def curve(*points):
    steps, values = zip(*points, strict=True)
    return Curve('iteration', np.array(steps), np.array(values, float))


def train(*points, metric='loss', **more):
    return Log([{'step': s, 'iter': s, metric: v, **more} for s, v in points], [])


def test_the_band_of_alike_steps_is_that_of_their_values():
    band = mean_band(
        [curve((1, 0), (2, 4)), curve((1, 2), (2, 0)), curve((1, 1), (2, 2))]
    )
    assert band.x.tolist() == [1, 2]
    assert band.mean.tolist() == [1, 2]
    assert band.low.tolist() == [0, 0]
    assert band.high.tolist() == [2, 4]
    assert len(band.runs) == 3


def test_the_mean_ends_where_the_first_run_does():
    band = mean_band([curve((1, 0), (2, 4)), curve((1, 2), (2, 0), (3, 90))])
    assert band.x.tolist() == [1, 2]
    assert band.runs[1][0].tolist() == [1, 2, 3]


def test_between_its_steps_a_run_is_straight():
    # A run that was resumed has lines at other iterations.
    band = mean_band([curve((0, 0), (4, 4)), curve((0, 0), (2, 0), (4, 0))])
    assert band.mean.tolist() == [0, 1, 2]


def test_runs_without_a_common_step_have_an_empty_band():
    assert mean_band([curve((1, 0)), curve((2, 0))]).x.size == 0


def test_one_run_is_its_own_band():
    band = mean_band([curve((1, 3), (2, 4))])
    assert band.mean.tolist() == band.low.tolist() == band.high.tolist() == [3, 4]
    assert not band.runs


def test_what_is_not_finite_is_left_out_of_a_curve():
    log = train((50, 1.0), (100, math.nan), (150, math.inf), (200, 2.0))
    assert read_curve(log, 'loss').steps.tolist() == [50, 200]


def test_a_metric_that_is_nowhere_has_no_curve():
    assert read_curve(train((50, 1.0)), 'mIoU') is None


def test_a_curve_is_that_of_the_average_where_models_are_named():
    val = [{'step': 10, 'student/mIoU': 20.0, 'ema/mIoU': 30.0}]
    assert read_curve(Log([], val), 'mIoU').values.tolist() == [30]
    assert read_curve(Log([], val), 'student/mIoU').values.tolist() == [20]


def test_validation_by_epoch_is_over_epochs():
    log = Log(train((50, 1.0), epoch=1).train, [{'step': 1, 'mIoU': 30.0}])
    assert read_curve(log, 'mIoU').unit == 'epoch'
    assert read_curve(log, 'loss').unit == 'iteration'


def test_epochs_and_iterations_do_not_share_a_panel():
    epochs = Log(train((50, 1.0), epoch=1).train, [{'step': 1, 'mIoU': 30.0}])
    iterations = Log(train((50, 1.0)).train, [{'step': 50, 'mIoU': 30.0}])
    with pytest.raises(ValueError, match='mIoU is logged by epoch in some runs'):
        curve_panels({'a': [epochs], 'b': [iterations]}, ['mIoU'])


def test_each_metric_that_a_run_has_is_a_panel():
    logs = {'a': [train((50, 1.0))], 'b': [train((50, 2.0), metric='other')]}
    panels = curve_panels(logs, ['loss', 'mIoU', 'other'])
    assert {name: list(panel.kinds) for name, panel in panels.items()} == {
        'loss': ['a'],
        'other': ['b'],
    }


def test_counters_are_no_metrics():
    assert metrics_of(train((50, 1.0), epoch=1, lr=0.1)) == ['loss', 'lr']


def test_work_dirs_are_found_at_and_below_a_folder(tmp_path):
    for name in ('ce/seed-1', 'ce/seed-0', 'jml/seed-0'):
        write_log(tmp_path / name, [50])
        write_test(tmp_path / name, {'mIoU': 1.0})
    assert find_work_dirs(tmp_path) == [
        tmp_path / name for name in ('ce/seed-0', 'ce/seed-1', 'jml/seed-0')
    ]
    assert find_work_dirs(tmp_path / 'jml/seed-0') == [tmp_path / 'jml/seed-0']


def test_work_dirs_in_a_linked_folder_are_found(tmp_path):
    write_log(tmp_path / 'disk/ce', [50])
    (tmp_path / 'runs').mkdir()
    (tmp_path / 'runs/linked').symlink_to(tmp_path / 'disk')
    assert find_work_dirs(tmp_path / 'runs') == [tmp_path / 'runs/linked/ce']


def test_a_folder_without_a_training_is_refused(tmp_path):
    write_log(tmp_path / 'test', [], val=[(0, 3.0)])
    assert read_log(tmp_path / 'test').val
    with pytest.raises(FileNotFoundError, match='no training log'):
        find_work_dirs(tmp_path)
