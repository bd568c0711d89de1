"""What the line of a validation says, and what is kept without it."""

import json

import pytest

from tests.hooks.test_calibration import run


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    changes = {'log_processor.type': 'ShortLogProcessor', 'custom_hooks': []}
    run(folder, changes | {'train_cfg.max_iters': 2})
    (log,) = folder.rglob('*.log')
    return folder, log.read_text()


def test_the_line_has_two_of_the_calibration_figures(trained):
    (line,) = [line for line in trained[1].splitlines() if 'Iter(val) [2/2]' in line]
    words = [word.rstrip(':') for word in line.split() if word.endswith(':')]
    assert [word for word in words if '/' in word] == ['calib/ECE', 'calib/BECE']
    assert {'mIoU', 'time', 'data_time'} <= set(words)


def test_the_log_has_the_others_as_a_table(trained):
    rows = [line for line in trained[1].splitlines() if line.startswith('| ')]
    rows = rows[[row.startswith('| measure') for row in rows].index(True) :]
    head = [cell.strip() for cell in rows[0].split('|')[1:-1]]
    assert head == ['measure', 'all', 'boundary', 'interior']
    assert any(row.startswith('| NLL ') for row in rows)


def test_all_figures_reach_the_scalars(trained):
    (path,) = trained[0].rglob('scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    (found,) = [line for line in lines if 'mIoU' in line]
    assert len([key for key in found if key.startswith('calib/')]) == 24
