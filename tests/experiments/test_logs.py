import json

import pytest

from mmseg_jml.experiments.run.logs import peak_memory, read_log, training_hours
from tests.experiments.folders import write_log

FIRST, SECOND, THIRD = (f'2026010{day}_000000' for day in (1, 2, 3))


def steps(lines):
    return [line['step'] for line in lines]


def test_a_log_without_attempts_is_empty(tmp_path):
    log = read_log(tmp_path)
    assert log == ([], [])
    assert training_hours(log) is None
    assert peak_memory(log) is None


def test_training_and_validation_are_told_apart(tmp_path):
    write_log(tmp_path, [50, 100], val=[(100, 30.0)])
    log = read_log(tmp_path)
    assert steps(log.train) == [50, 100]
    assert [line['mIoU'] for line in log.val] == [30.0]


def test_no_iteration_of_a_resumed_training_counts_twice(tmp_path):
    # Killed behind 180, resumed from the checkpoint of 100.
    write_log(tmp_path, [50, 100, 150], attempt=FIRST, seconds=1, val=[(100, 20.0)])
    write_log(tmp_path, [150, 200], attempt=SECOND, seconds=3, val=[(200, 30.0)])
    log = read_log(tmp_path)
    assert steps(log.train) == [50, 100, 150, 200]
    assert steps(log.val) == [100, 200]
    assert training_hours(log) * 3600 == 100 * 1 + 100 * 3


def test_a_training_begun_anew_takes_the_place_of_the_first(tmp_path):
    write_log(tmp_path, [50, 100], attempt=FIRST, seconds=1, val=[(100, 20.0)])
    write_log(tmp_path, [50], attempt=SECOND, seconds=3)
    log = read_log(tmp_path)
    assert training_hours(log) * 3600 == 50 * 3
    assert log.val == []


def test_an_attempt_that_logged_nothing_changes_nothing(tmp_path):
    write_log(tmp_path, [50, 100], attempt=FIRST, val=[(100, 20.0)])
    before = read_log(tmp_path)
    write_log(tmp_path, [], attempt=SECOND)
    (tmp_path / THIRD / 'vis_data').mkdir(parents=True)
    assert read_log(tmp_path) == before


def test_lines_stand_for_the_iterations_since_the_one_before(tmp_path):
    # An epoch's last line comes between the others.
    write_log(tmp_path, [46, 50, 100], seconds=2)
    assert training_hours(read_log(tmp_path)) * 3600 == pytest.approx(200)


def test_half_a_line_is_none(tmp_path):
    path = write_log(tmp_path, [50, 100])
    path.write_text(path.read_text() + '{"loss": 0.3, "st')
    assert steps(read_log(tmp_path).train) == [50, 100]


def test_validation_by_epoch_is_cut_where_the_epoch_is_repeated(tmp_path):
    def epoch(step):
        return step // 5

    write_log(tmp_path, [5, 10, 15], attempt=FIRST, epoch=epoch, val=[(1, 1), (2, 2)])
    write_log(tmp_path, [10, 15], attempt=SECOND, epoch=epoch, val=[(2, 9)])
    log = read_log(tmp_path)
    assert log.by_epoch
    assert [(line['step'], line['mIoU']) for line in log.val] == [(1, 1), (2, 9)]


def test_a_hierarchical_log_is_read_alike(tmp_path):
    path = tmp_path / FIRST / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    lines = [
        {'train/loss': 1.0, 'train/time': 2.0, 'iter': 50, 'step': 50},
        {'val/mIoU': 30.0, 'val/calib/ECE': 1.0, 'step': 50},
    ]
    path.write_text('\n'.join(map(json.dumps, lines)))
    log = read_log(tmp_path)
    assert log.train[0]['loss'] == 1
    assert log.val[0]['calib/ECE'] == 1
    assert training_hours(log) * 3600 == 100


def test_the_peak_memory_is_the_largest_of_all_lines(tmp_path):
    write_log(tmp_path, [50, 100, 150], memory=lambda step: 900 if step == 100 else 700)
    assert peak_memory(read_log(tmp_path)) == 900
