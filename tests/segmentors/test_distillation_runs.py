"""Distillation in runs of MMEngine: checkpoints, resuming, EMA."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner

from tests.segmentors.distilled import (
    TINY,
    auxiliary_head,
    batch,
    build,
    plain_config,
    student_config,
    write_teacher,
)

# The teacher's logits are half as large as the label, aligned at the corners.
pytestmark = pytest.mark.filterwarnings('ignore:When align_corners=True:UserWarning')


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    return write_teacher(tmp_path_factory.mktemp('teacher'))


def run(folder, model, iters=4, **changes):
    """Train `model` in `folder`; the runner of it."""
    cfg = Config.fromfile(TINY)
    cfg.merge_from_dict(
        {
            'train_cfg.max_iters': iters,
            'train_cfg.val_interval': iters,
            'default_hooks.checkpoint.interval': 2,
            'work_dir': str(folder),
            # A process has one runner and one visualizer of each name.
            'experiment_name': str(folder).replace('/', '-'),
            'visualizer': {'type': 'Visualizer', 'name': str(folder)},
            **changes,
        }
    )
    cfg.model = copy.deepcopy(model)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def weights(folder, iteration=4):
    path = folder / f'iter_{iteration}.pth'
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


@pytest.fixture(scope='module')
def trained(teacher, tmp_path_factory):
    """A finished training of four iterations, with an auxiliary head."""
    folder = tmp_path_factory.mktemp('trained')
    cfg = student_config(
        teacher,
        auxiliary_head=auxiliary_head(),
        auxiliary_distill_losses={'type': 'KLDistillationLoss'},
    )
    return folder, cfg, run(folder, cfg)


def test_a_checkpoint_is_the_plain_students(trained):
    folder, _, runner = trained
    plain = plain_config()
    plain.auxiliary_head = auxiliary_head()
    model = build(plain, seed=9).eval()
    checkpoint = weights(folder)
    assert list(checkpoint['state_dict']) == list(model.state_dict())
    model.load_state_dict(checkpoint['state_dict'])
    inputs, _ = batch()
    with torch.no_grad():
        assert torch.equal(model(inputs), runner.model.eval()(inputs))


def test_the_optimizer_has_the_students_parameters_alone(trained):
    folder, _, runner = trained
    state = weights(folder)['optimizer']
    (group,) = state['param_groups']
    assert len(group['params']) == len(list(runner.model.parameters()))


def test_a_resumed_run_ends_where_an_unbroken_one_does(trained, tmp_path):
    folder, cfg, _ = trained
    options = {'load_from': str(folder / 'iter_2.pth'), 'resume': True}
    run(tmp_path / 'resumed', cfg, **options)
    unbroken, resumed = weights(folder), weights(tmp_path / 'resumed')
    for key, value in unbroken['state_dict'].items():
        assert torch.equal(value, resumed['state_dict'][key]), key


def test_with_ema_the_average_is_the_students(teacher, tmp_path):
    hooks = [{'type': 'EMAHook', 'momentum': 0.5, 'update_buffers': True}]
    runner = run(tmp_path, student_config(teacher), custom_hooks=hooks)
    checkpoint = weights(tmp_path)
    averaged = {
        key.removeprefix('module.')
        for key in checkpoint['ema_state_dict']
        if key.startswith('module.')
    }
    assert averaged == set(checkpoint['state_dict'])
    assert averaged == set(build(plain_config()).state_dict())
    (hook,) = (h for h in runner.hooks if type(h).__name__ == 'EMAHook')
    assert hook.ema_model.module.teacher is runner.model.teacher
    expected = torch.load(teacher, weights_only=False)['state_dict']
    for key, value in runner.model.teacher.model.state_dict().items():
        assert torch.equal(value, expected[key]), key
