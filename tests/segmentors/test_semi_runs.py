"""Semi-supervised runs of MMEngine: checkpoints, resuming, validation, the log."""

import copy
import json
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner

from tests.segmentors.distilled import TINY, build, plain_config
from tests.segmentors.semi_supervised import UNIMATCH, semi_config

ITERATIONS = 4
SHAPES = {
    'type': 'SyntheticShapesDataset',
    'length': 5,
    'size': (32, 48),
    'num_classes': 4,
}
LOAD = [{'type': 'LoadImageFromFile'}, {'type': 'LoadOptionalAnnotations'}]
PACK = [{'type': 'LoadAnnotations'}, {'type': 'PackSegInputs'}]
LOADER = {
    'batch_size': 4,
    'num_workers': 0,
    'sampler': {'type': 'SemiSupervisedSampler'},
    'collate_fn': {'type': 'branch_collate'},
    'dataset': {
        'type': 'SemiSupervisedDataset',
        'strong_views': 2,
        'labelled': {**SHAPES, 'pipeline': [LOAD[0], *PACK]},
        'unlabelled': {**SHAPES, 'length': 7, 'seed': 1, 'pipeline': LOAD},
    },
}
EVALUATOR = {
    'type': 'SemiEvaluator',
    'metrics': [
        {'type': 'IoUMetric', 'iou_metrics': ['mIoU']},
        {'type': 'CalibrationMetric'},
    ],
}
MODEL = semi_config(
    UNIMATCH, eval_model='both', ramp_up=3, pseudo_label={'threshold': 0.26}
)


def config(folder, **changes):
    cfg = Config.fromfile(TINY)
    cfg.merge_from_dict(
        {
            'train_cfg.max_iters': ITERATIONS,
            'train_cfg.val_interval': ITERATIONS,
            'default_hooks.checkpoint.interval': 2,
            'default_hooks.logger.interval': 1,
            'work_dir': str(folder),
            # A process has one runner and one visualizer of each name.
            'experiment_name': str(folder).replace('/', '-'),
            'visualizer': {
                'type': 'Visualizer',
                'name': str(folder),
                'vis_backends': [{'type': 'LocalVisBackend'}],
            },
            'custom_hooks': [{'type': 'PseudoLabelHook', 'interval': 2}],
            **changes,
        }
    )
    cfg.model = copy.deepcopy(changes.get('model', MODEL))
    cfg.train_dataloader = copy.deepcopy(LOADER)
    cfg.val_evaluator = cfg.test_evaluator = copy.deepcopy(EVALUATOR)
    return cfg


def train(folder, **changes):
    """Train in `folder`; the runner of it."""
    runner = Runner.from_cfg(config(folder, **changes))
    runner.train()
    return runner


def weights(folder, iteration=ITERATIONS):
    path = folder / f'iter_{iteration}.pth'
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


def logged(folder):
    """What the log holds, a dict a line."""
    (path,) = folder.rglob('scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The folder of a finished training, and its runner."""
    folder = tmp_path_factory.mktemp('trained')
    return folder, train(folder)


def test_a_checkpoint_holds_the_plain_student_and_the_teacher(trained):
    folder, runner = trained
    state = weights(folder)['state_dict']
    plain = list(build(plain_config()).state_dict())
    teacher = [f'teacher.module.{key}' for key in plain]
    assert set(state) == {*plain, *teacher, 'teacher.steps'}
    assert state['teacher.steps'] == ITERATIONS
    current = runner.model.state_dict()
    assert all(torch.equal(value, current[key]) for key, value in state.items())


def test_a_resumed_run_has_the_losses_and_weights_of_an_unbroken_one(trained, tmp_path):
    folder, _ = trained
    train(tmp_path, load_from=str(folder / 'iter_2.pth'), resume=True)
    unbroken, resumed = (
        {
            line['step']: {k: v for k, v in line.items() if 'time' not in k}
            for line in logged(each)
            if 'loss' in line
        }
        for each in (folder, tmp_path)
    )
    assert sorted(resumed) == [3, 4]
    for step, line in resumed.items():
        assert len([key for key in line if 'loss' in key]) == 8
        for key in line:
            if 'loss' in key:
                assert line[key] == unbroken[step][key], (step, key)
    expected, found = weights(folder), weights(tmp_path)
    for key, value in expected['state_dict'].items():
        assert torch.equal(value, found['state_dict'][key]), key


def test_both_models_are_measured_each_under_its_name(trained):
    folder, _ = trained
    metrics = logged(folder)[-1]
    for name in ('ema', 'student'):
        assert {f'{name}/{key}' for key in ('mIoU', 'aAcc', 'calib/ECE')} <= set(
            metrics
        )
    assert 'mIoU' not in metrics


@pytest.mark.parametrize('eval_model', ['ema', 'student'])
def test_testing_measures_the_model_that_was_asked_for(trained, tmp_path, eval_model):
    folder, _ = trained
    cfg = config(
        tmp_path,
        load_from=str(folder / f'iter_{ITERATIONS}.pth'),
        model=semi_config(UNIMATCH, eval_model=eval_model),
    )
    found = Runner.from_cfg(cfg).test()
    assert {key.split('/')[0] for key in found} == {eval_model}
    expected = logged(folder)[-1]
    for key in ('aAcc', 'calib/NLL'):
        key = f'{eval_model}/{key}'
        assert found[key] == pytest.approx(expected[key])


def test_a_plain_checkpoint_is_where_a_student_may_begin(trained, tmp_path):
    """And its first teacher is that student."""
    plain = build(plain_config(), seed=5).state_dict()
    torch.save({'state_dict': plain, 'meta': {}}, tmp_path / 'plain.pth')
    cfg = config(tmp_path, load_from=str(tmp_path / 'plain.pth'))
    runner = Runner.from_cfg(cfg)
    runner.load_or_resume()
    runner.model.train()
    batch = next(iter(runner.train_dataloader))
    batch = runner.model.data_preprocessor(batch, training=True)
    runner.model.loss(**batch)
    teacher = runner.model.teacher.module.state_dict()
    assert all(torch.equal(teacher[key], value) for key, value in plain.items())


def test_an_average_beside_the_teacher_does_not_disturb_it(trained, tmp_path):
    folder, _ = trained
    hooks = [{'type': 'EMAHook', 'momentum': 0.5}]
    train(tmp_path, custom_hooks=hooks)
    expected, checkpoint = weights(folder), weights(tmp_path)
    for key, value in expected['state_dict'].items():
        assert torch.equal(value, checkpoint['ema_state_dict'][f'module.{key}']), key


def test_each_class_is_told_how_much_of_it_supervises(trained):
    folder, runner = trained
    (log,) = folder.rglob('*.log')
    lines = re.findall('pseudo-labels, % of pixels .*', log.read_text())
    assert len(lines) == ITERATIONS // 2
    classes = ['all', *runner.val_dataloader.dataset.metainfo['classes']]
    shares = re.findall(r'(\w+) ([\d.]+) \(([\d.]+)\)', lines[-1].split(': ')[1])
    assert [name for name, _, _ in shares] == classes
    assert sum(float(share) for _, share, _ in shares) == pytest.approx(200, abs=0.4)
    expected = sum(float(share) * float(part) for _, share, part in shares[1:]) / 100
    assert float(shares[0][2]) == pytest.approx(expected, abs=0.2)
    scalars = [line for line in logged(folder) if 'pseudo/supervised_disk' in line]
    assert [line['step'] for line in scalars] == [2, 4]
