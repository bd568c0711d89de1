"""tools/teacher_report.py: how good, calibrated and soft a teacher is."""

import csv
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from mmengine.runner import Runner
from mmseg.apis import init_model
from mmseg.datasets import BaseSegDataset
from PIL import Image

from mmseg_jml.__main__ import main
from mmseg_jml.cli.launch import run_test
from mmseg_jml.cli.teacher_report import (
    Row,
    averages,
    images_root,
    run_teacher_report,
)
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
        out = tmp_path / threshold
        flags = ('--split', 'test', '--threshold', threshold, '--out', str(out))
        report(teacher, *flags)
        shares.append(float(rows(out / 'report.csv')[0]['active']))
    assert shares[0] == 100
    assert shares[1] < 100


def test_the_report_shows_the_figures_and_what_they_mean(teacher):
    text = (teacher / 'out' / 'report.md').read_text()
    assert '# Teacher: config, a.pth, test split' in text
    assert '| mIoU (%) | ECE (%) | BECE (%) | entropy (nats) |' in text
    assert 'largest probability there is above 0.01' in text


def test_a_report_on_another_split_is_not_put_in_its_place(teacher):
    with pytest.raises(
        SystemExit, match='holds a report with another config and split'
    ):
        report(teacher, '--split', 'val', '--out', str(teacher / 'out'))


def test_it_is_a_command_and_writes_beside_the_runs(teacher, monkeypatch, capsys):
    monkeypatch.chdir(teacher)
    assert main(['teacher-report', 'config.py', 'a.pth']) == 0
    folder = teacher / 'work_dirs' / 'config' / 'teacher' / f'{teacher.name}-a-val'
    assert 'the checkpoint `a.pth` (SHA-256 ' in (folder / 'report.md').read_text()
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
    with pytest.raises(SystemExit, match='`checkpoint`: there is no file'):
        run_teacher_report([str(teacher / 'config.py'), 'nowhere.pth'])


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """A teacher and three images of the same name in subfolders; one is void alone."""
    folder = tmp_path_factory.mktemp('folders')
    rng = np.random.default_rng(0)
    for number, name in enumerate(('one', 'two', 'void')):
        image = rng.integers(0, 256, (32, 48, 3)).astype(np.uint8)
        label = rng.integers(0, 4, (32, 48)).astype(np.uint8)
        label[:, number:] = 255 if name == 'void' else label[:, number:]
        label[:, :number] = 255
        for what, values in (('img', image), ('ann', label)):
            path = folder / 'data' / what / name / 'x.png'
            path.parent.mkdir(parents=True)
            Image.fromarray(values).save(path)
    dataset = {
        '_delete_': True,
        'type': 'BaseSegDataset',
        'data_root': str(folder / 'data'),
        'data_prefix': {'img_path': 'img', 'seg_map_path': 'ann'},
        'img_suffix': '.png',
        'metainfo': {'classes': list('abcd'), 'palette': [[i] * 3 for i in range(4)]},
        'pipeline': [
            {'type': 'LoadImageFromFile'},
            {'type': 'LoadAnnotations'},
            {'type': 'PackSegInputs'},
        ],
    }
    write_checkpoint(folder / 'a.pth', write_config(folder / 'config.py'))
    write_config(folder / 'config.py', {'val_dataloader.dataset': dataset})
    assert report(folder, '--out', str(folder / 'out')) == 0
    return folder


def test_a_row_leads_to_its_image(folders):
    _, *images = rows(folders / 'out' / 'report.csv')
    names = {row['picture'] for row in images}
    assert names == {'img/one/x.png', 'img/two/x.png', 'img/void/x.png'}
    assert all((folders / 'data' / name).is_file() for name in names)


def test_an_image_of_ignored_pixels_alone_is_not_counted(folders):
    total, *images = rows(folders / 'out' / 'report.csv')
    (void,) = (row for row in images if row['pixels'] == '0')
    assert [void[name] for name in ('entropy', 'active', 'labelled')] == [''] * 3
    counted = [row for row in images if row['pixels'] != '0']
    for name in ('active', 'labelled'):
        mean = sum(float(row[name]) for row in counted) / 2
        assert float(total[name]) == pytest.approx(mean)
    text = (folders / 'out' / 'report.md').read_text()
    assert 'covers 2 images. Another 1 have no labelled pixel and are left out.' in text


def test_ignored_pixels_alone_are_refused():
    with pytest.raises(ValueError, match='all pixels of all images are ignored'):
        averages([Row('a', 0), Row('b', 0)])


def test_rows_of_several_datasets_have_different_names(tmp_path):
    parts = [
        BaseSegDataset(data_root=str(tmp_path / name), lazy_init=True)
        for name in ('city/old', 'city/new')
    ]
    dataset = ConcatDataset(parts, lazy_init=True)
    assert images_root(dataset) == tmp_path / 'city'


def test_a_folder_that_cannot_be_written_is_refused_first(teacher, monkeypatch):
    monkeypatch.setattr('mmseg_jml.cli.scaling_fit.prepare', None)
    with pytest.raises(SystemExit, match=r'`--out`: cannot write to .*config.py/out'):
        report(teacher, '--out', str(teacher / 'config.py' / 'out'))
