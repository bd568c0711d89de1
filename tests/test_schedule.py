"""A training of another length takes the same course, in proportion."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import PolyLR

from mmseg_jml.cli.reading import read_config
from mmseg_jml.experiments.plan.plan import make_plan
from mmseg_jml.experiments.run.cells import config, runs, to_train
from mmseg_jml.experiments.run.runner import remarks
from mmseg_jml.schedule import change_length, remark_on_length
from mmseg_jml.shipped import find_config, leaves
from tests.tools.models import TINY

LEAVES = [
    leaf for leaf in leaves() if leaf.startswith(('demo/', 'semi/', 'jml/camvid'))
]


def made(**changes):
    return {
        'train_cfg': {
            'type': 'IterBasedTrainLoop',
            'max_iters': 3000,
            'val_interval': 500,
        },
        'param_scheduler': [
            {'type': 'LinearLR', 'by_epoch': False, 'begin': 0, 'end': 100},
            {'type': 'PolyLR', 'by_epoch': False, 'begin': 100, 'end': 3000},
        ],
        **changes,
    }


def test_the_schedule_and_the_intervals_are_scaled():
    hooks = {
        'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False, 'interval': 500},
        'logger': {'type': 'LoggerHook', 'interval': 50},
        'visualization': {'type': 'SegVisualizationHook', 'interval': 50},
    }
    ema = {'type': 'EMAHook', 'begin_iter': 1000}
    cfg = made(default_hooks=hooks, custom_hooks=[ema], model={'ramp_up': 600})
    change_length(cfg, 300)
    assert cfg['train_cfg']['max_iters'] == 300
    assert cfg['train_cfg']['val_interval'] == 50
    assert [(s['begin'], s['end']) for s in cfg['param_scheduler']] == [
        (0, 10),
        (10, 300),
    ]
    # One of pictures, of which a validation has as many as before.
    assert [hook['interval'] for hook in hooks.values()] == [50, 5, 50]
    assert (ema['begin_iter'], cfg['model']['ramp_up']) == (100, 60)


def test_a_longer_training_is_scaled_too():
    cfg = made()
    change_length(cfg, 6000)
    assert cfg['train_cfg']['val_interval'] == 1000
    assert cfg['param_scheduler'][1]['end'] == 6000


def test_a_warm_up_of_which_no_iteration_is_left_goes():
    cfg = made()
    change_length(cfg, 10)
    (poly,) = cfg['param_scheduler']
    assert (poly['type'], poly['begin'], poly['end']) == ('PolyLR', 0, 10)
    assert cfg['train_cfg']['val_interval'] == 2


def test_a_warm_up_of_one_iteration_goes_as_it_would_never_reach_its_end():
    cfg = made()
    change_length(cfg, 30)
    assert [each['type'] for each in cfg['param_scheduler']] == ['PolyLR']


def test_other_schedulers_are_scaled_by_what_they_count():
    found = [
        {'type': 'MultiStepLR', 'by_epoch': False, 'milestones': [1000, 2000]},
        {'type': 'CosineAnnealingLR', 'by_epoch': False, 'T_max': 3000},
        {'type': 'ExponentialLR', 'by_epoch': False, 'gamma': 0.999},
        {'type': 'StepLR', 'step_size': 7},  # of epochs
    ]
    cfg = made(param_scheduler=found)
    change_length(cfg, 1500)
    steps, cosine, exponential, epochs = cfg['param_scheduler']
    assert steps['milestones'] == [500, 1000]
    assert cosine['T_max'] == 1500
    assert exponential['gamma'] ** 1500 == pytest.approx(0.999**3000)
    assert epochs['step_size'] == 7


def test_schedulers_of_several_optimizers_are_scaled():
    one = {'type': 'PolyLR', 'by_epoch': False, 'end': 3000}
    cfg = made(param_scheduler={'first': [one], 'second': dict(one)})
    change_length(cfg, 30)
    assert cfg['param_scheduler']['first'][0]['end'] == 30
    assert cfg['param_scheduler']['second'][0]['end'] == 30


def rates(cfg):
    """The learning rate of each iteration."""
    optim = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    (poly,) = (dict(s) for s in cfg['param_scheduler'] if s['type'] == 'PolyLR')
    poly.pop('type')
    scheduler = PolyLR(optim, **{**poly, 'begin': 0})
    found = []
    for _ in range(cfg['train_cfg']['max_iters']):
        found.append(optim.param_groups[0]['lr'])
        optim.step()
        scheduler.step()
    return found


def test_the_learning_rate_ends_where_that_of_the_whole_training_does():
    whole, short, cut = made(), made(), made()
    change_length(short, 30)
    cut['train_cfg']['max_iters'] = 30  # what an override alone does
    assert rates(short)[15] == pytest.approx(rates(whole)[1500], rel=0.05)
    assert rates(cut)[15] > 0.99


@pytest.mark.parametrize('leaf', LEAVES[:6])
def test_shipped_configs_end_their_schedule_with_the_training(leaf):
    cfg = Config.fromfile(find_config(leaf))
    assert remark_on_length(cfg) is None
    change_length(cfg, 7)
    assert remark_on_length(cfg) is None


def test_a_length_without_its_schedule_is_told():
    cfg = made()
    cfg['train_cfg']['max_iters'] = 300
    assert 'ends after 300 iterations' in remark_on_length(cfg)
    assert '--max-iters' in remark_on_length(cfg)


@pytest.mark.parametrize(
    ('changes', 'length', 'words'),
    [
        ({}, 0, '`max_iters` must be a whole number that is at least 1, got 0'),
        (
            {'train_cfg': {'type': 'EpochBasedTrainLoop', 'max_epochs': 9}},
            5,
            'epochs=9',
        ),
    ],
)
def test_what_has_no_such_length_is_refused(changes, length, words):
    with pytest.raises(ValueError, match=words):
        change_length(made(**changes), length)


def test_train_changes_the_length_before_the_options():
    class Args:
        config, loss, max_iters = str(TINY), None, 6
        cfg_options = {'default_hooks.checkpoint.interval': 3}  # noqa: RUF012

    _, cfg = read_config(Args)
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval) == (6, 6)
    assert cfg.default_hooks.checkpoint.interval == 3
    assert cfg.default_hooks.logger.interval == 1


def plan(**changes):
    return make_plan(
        {
            'name': 'a',
            'cells': {'one': {'config': LEAVES[0]}},
            'max_iters': 8,
            **changes,
        }
    )


def test_a_plan_says_how_long_its_cells_train(tmp_path):
    cells = {'one': {'config': LEAVES[0]}, 'two': {'config': LEAVES[0], 'max_iters': 4}}
    found = runs(plan(cells=cells), tmp_path)
    assert [config(run).train_cfg.max_iters for run in found] == [8, 4]
    commands = [to_train(run, config(run)) for run in found]
    assert [c[c.index('--max-iters') + 1] for c in commands] == ['8', '4']
    assert remarks(found) == []


def test_a_plan_that_overrides_the_length_alone_is_warned(tmp_path):
    found = runs(plan(max_iters=9, overrides={'train_cfg.max_iters': 5}), tmp_path)
    (remark,) = remarks(found)
    assert remark.startswith("cell 'one': training ends after 5 iterations")
