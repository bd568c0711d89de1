"""tools/teacher_report.py: how good, calibrated and soft a teacher is."""

import csv
import json

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.apis import init_model

from mmseg_jml.__main__ import main
from mmseg_jml.cli.launch import run_test
from mmseg_jml.cli.teacher_report import run_teacher_report
from tests.tools.models import BINARY, write_checkpoint, write_config

METRICS = [
    {'type': 'IoUMetric', 'iou_metrics': ['mIoU']},
    {'type': 'CalibrationMetric'},
]
SPLITS = {
    'val_dataloader.dataset.seed': 3,
    'val_evaluator': METRICS,
    'test_evaluator': METRICS,
}


@pytest.fixture(scope='module', params=[{}, BINARY], ids=['softmax', 'binary'])
def teacher(request, tmp_path_factory):
    """A folder with a config, a checkpoint and their report on the test split."""
    folder = tmp_path_factory.mktemp('teacher')
    config = write_config(folder / 'config.py', {**SPLITS, **request.param})
    write_checkpoint(folder / 'a.pth', config, steps=20)
    assert report(folder, '--split', 'test', '--out', str(folder / 'out')) == 0
    return folder


def report(folder, *flags):
    return run_teacher_report(
        [str(folder / 'config.py'), str(folder / 'a.pth'), *flags]
    )


def rows(path):
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def test_accuracy_and_calibration_are_those_of_testing(teacher, tmp_path):
    name = str(tmp_path).replace('/', '-')  # one runner of each name in a process
    options = ('visualizer.type=Visualizer', f'visualizer.name={name}')
    run_test(
        [
            *(str(teacher / 'config.py'), str(teacher / 'a.pth')),
            *('--work-dir', str(tmp_path), '--cfg-options', *options),
            f'experiment_name={name}',
        ]
    )
    (log,) = tmp_path.rglob('2*.json')
    tested = json.loads(log.read_text().splitlines()[-1])
    total, *_ = rows(teacher / 'out' / 'report.csv')
    assert total['picture'] == 'all'
    for ours, theirs in (
        ('mIoU', 'mIoU'),
        ('ECE', 'calib/ECE'),
        ('BECE', 'calib/BECE'),
    ):
        assert float(total[ours]) == pytest.approx(tested[theirs], abs=1e-3)


def test_softness_is_that_of_the_predicted_probabilities(teacher):
    cfg = Config.fromfile(teacher / 'config.py')
    model = init_model(cfg, str(teacher / 'a.pth'), device='cpu')
    loader = Runner.build_dataloader(cfg.test_dataloader, seed=0)
    total, *pictures = rows(teacher / 'out' / 'report.csv')
    entropies, number = 0.0, 0
    samples = [s for batch in loader for s in model.test_step(batch)]
    for row, sample in zip(pictures, samples, strict=True):
        logits, label = sample.seg_logits.data, sample.gt_sem_seg.data[0]
        p = torch.cat([1 - logits, logits]) if len(logits) == 1 else logits.softmax(0)
        p = p[:, label != 255].double()
        active = [max(values) > 0.01 for values in p.tolist()]
        assert float(row['active']) == pytest.approx(100 * sum(active) / len(p))
        present = {x for x in label.flatten().tolist() if x != 255}
        assert float(row['labelled']) == pytest.approx(100 * len(present) / len(p))
        entropy = -(p * p.log()).sum().item()
        assert float(row['entropy']) == pytest.approx(entropy / p.shape[1], rel=1e-4)
        entropies, number = entropies + entropy, number + p.shape[1]
    assert float(total['entropy']) == pytest.approx(entropies / number, rel=1e-4)
    assert int(total['pixels']) == number


def test_a_lower_threshold_makes_more_classes_active(teacher, tmp_path):
    shares = []
    for threshold in ('0', '0.999999'):
        flags = ('--split', 'test', '--threshold', threshold, '--out', str(tmp_path))
        report(teacher, *flags)
        shares.append(float(rows(tmp_path / 'report.csv')[0]['active']))
    assert shares[0] == 100
    assert shares[1] < 100


def test_the_report_shows_the_figures_and_what_they_mean(teacher):
    text = (teacher / 'out' / 'report.md').read_text()
    assert '# Teacher: config, a.pth, test split' in text
    assert '| mIoU (%) | ECE (%) | BECE (%) | entropy (nats) |' in text
    assert 'largest probability in a picture is past 0.01' in text


def test_it_is_a_command_and_writes_beside_the_runs(teacher, monkeypatch, capsys):
    monkeypatch.chdir(teacher)
    assert main(['teacher-report', 'config.py', 'a.pth']) == 0
    assert (teacher / 'work_dirs' / 'config' / 'teacher' / 'report.md').is_file()
    assert 'val split' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (('--threshold', '1'), '`--threshold` must be in'),
        (('--cfg-options', 'val_dataloader=None'), 'no `val_dataloader`'),
    ],
)
def test_what_cannot_be_measured_is_refused(teacher, flags, words):
    with pytest.raises(SystemExit, match=words):
        report(teacher, *flags)


def test_a_missing_checkpoint_is_told(teacher):
    with pytest.raises(SystemExit, match='`checkpoint`: no file'):
        run_teacher_report([str(teacher / 'config.py'), 'nowhere.pth'])
