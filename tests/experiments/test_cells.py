"""Cells with their seeds and folds become runs, configs and commands."""

import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmseg_jml.config_options import read_value
from mmseg_jml.experiments.plan.plan import make_plan
from mmseg_jml.experiments.run import settings
from mmseg_jml.experiments.run.cells import config, runs, to_test, to_train
from mmseg_jml.experiments.run.runner import check
from mmseg_jml.experiments.run.state import write_state
from tests.experiments.stubs import runs_of, trained, write_plan


def names(plan, **keys):
    return [run.name for run in runs(plan, Path('w'), **keys)]


def plan_of(teacher=(), student=(), **keys):
    cells = {
        's': {'config': 's.py', 'teacher': 't', **dict(student)},
        't': {'config': 't.py', **dict(teacher)},
    }
    return make_plan({'name': 'p', 'cells': cells} | keys)


def test_a_teacher_comes_before_its_student():
    assert names(plan_of(seeds=[0, 1])) == [
        't/seed-0',
        's/seed-0',
        't/seed-1',
        's/seed-1',
    ]


def test_one_teacher_may_serve_all_seeds():
    plan = plan_of({'seeds': [7]}, {'teacher_seed': 7}, seeds=[0, 1])
    assert names(plan) == ['t/seed-7', 's/seed-0', 's/seed-1']
    found = runs(plan, Path('w'))
    assert {run.teacher.name for run in found if run.teacher} == {'t/seed-7'}


def test_a_fold_has_its_own_teacher():
    plan = plan_of({'seeds': [7]}, {'teacher_seed': 7}, seeds=[0], folds=[2, 4])
    taught = {r.name: r.teacher.name for r in runs(plan, Path('w')) if r.teacher}
    assert taught == {
        's/fold-2_seed-0': 't/fold-2_seed-7',
        's/fold-4_seed-0': 't/fold-4_seed-7',
    }


def test_folds_alone_are_folders():
    assert names(plan_of(folds=[1])) == ['t/fold-1', 's/fold-1']


def test_only_brings_the_teachers_along():
    cells = {'a': 'a.py', 't': 't.py', 's': {'config': 's.py', 'teacher': 't'}}
    plan = make_plan({'name': 'p', 'cells': cells})
    assert names(plan, only=['s']) == ['t/seed-0', 's/seed-0']
    with pytest.raises(ValueError, match=r"`--only` must be some of .*got 'b'"):
        names(plan, only=['b'])


def test_a_command_says_all_that_the_cell_changes(tmp_path):
    cell = {'config': str(tmp_path / 'base.py'), 'overrides': {'model.x': [1, 2]}}
    path = write_plan(tmp_path, cells={'a': cell}, seeds=[3], data_root='my_data')
    (run,) = runs_of(path)
    command = to_train(run, config(run))
    assert command[:4] == [sys.executable, '-m', 'mmseg_jml', 'train']
    assert command[4:] == [
        cell['config'],
        *('--work-dir', str(run.folder)),
        '--cfg-options',
        *('train_cfg.max_iters=2', 'model.x=[1,2]'),
        *('train_dataloader.dataset.data_root=my_data', 'randomness.seed=3'),
    ]


def test_a_test_takes_the_last_checkpoint_and_tabulates_pictures(tmp_path):
    run = runs_of(write_plan(tmp_path))[0]
    command = to_test(run, config(run))
    checkpoint = str(run.folder / 'iter_2.pth')
    assert command[3:7] == ['test', run.cell.config, checkpoint, '--per-image']
    assert command[8] == str(run.folder / 'test')


def test_a_checkpoint_to_come_is_that_of_the_overrides(tmp_path):
    cells = {
        's': {'config': str(tmp_path / 'student.py'), 'teacher': 't'},
        't': {
            'config': str(tmp_path / 'base.py'),
            'overrides': {'train_cfg.max_iters': 7},
        },
    }
    teacher, student = runs_of(write_plan(tmp_path, cells=cells))
    assert to_test(teacher, config(teacher))[5] == str(teacher.folder / 'iter_7.pth')
    option = f'model.teacher_checkpoint={teacher.folder}/iter_7.pth'
    assert option in to_train(student, config(student))


def test_a_cell_may_start_with_the_checkpoint_of_another(tmp_path):
    base = str(tmp_path / 'base.py')
    cells = {'more': {'config': base, 'start': 'first'}, 'first': base}
    first, more = runs_of(write_plan(tmp_path, cells=cells))
    option = f'load_from={first.folder}/iter_2.pth'
    assert option in to_train(more, config(more))
    assert config(more).load_from == f'{first.folder}/iter_2.pth'
    assert not any('load_from' in word for word in to_train(first, config(first)))
    check([first, more])


def test_what_has_started_goes_on_from_its_own_checkpoint(tmp_path):
    base = str(tmp_path / 'base.py')
    cells = {'more': {'config': base, 'start': 'first'}, 'first': base}
    _, more = runs_of(write_plan(tmp_path, cells=cells))
    trained(more)
    check([more])
    words = to_train(more, config(more))
    assert words[words.index('--resume') + 1] == str(more.folder / 'iter_1.pth')


def test_where_another_run_left_its_checkpoint_makes_no_other_plan(tmp_path):
    base = str(tmp_path / 'base.py')
    cells = {'first': base, 'more': {'config': base, 'start': 'first'}}
    first, more = runs_of(write_plan(tmp_path, cells=cells))
    trained(more, load_from='elsewhere/first/seed-0/iter_1.pth')
    check([first, more])
    trained(more, **{'randomness.seed': 1})
    with pytest.raises(ValueError, match=r'randomness\.seed: 1 there'):
        check([first, more])


def test_several_gpus_are_started_by_torchrun(tmp_path):
    run = runs_of(write_plan(tmp_path))[0]
    command = to_train(run, config(run), gpus=4)
    assert command[1:6] == [
        *('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '4')
    ]
    assert command[6:9] == ['-m', 'mmseg_jml', 'train']
    assert command[command.index('--launcher') + 1] == 'pytorch'


def test_roots_are_of_every_data_set_in_any_wrapper():
    leaf = {'type': 'A', 'data_root': 'old'}
    cfg = Config(
        {
            'train_dataloader': {
                'dataset': {
                    'type': 'RepeatDataset',
                    'dataset': {'type': 'ConcatDataset', 'datasets': [leaf, leaf]},
                }
            },
            'val_dataloader': {'dataset': leaf},
            'test_dataloader': {'dataset': {'type': 'B'}},
        }
    )
    found = settings.data_roots(cfg, 'new')
    settings.apply(cfg, found)
    inner = cfg.train_dataloader.dataset.dataset.datasets
    assert [each.data_root for each in inner] == ['new', 'new']
    assert cfg.val_dataloader.dataset.data_root == 'new'
    assert 'data_root' not in cfg.test_dataloader.dataset
    with pytest.raises(ValueError, match='`data_root`'):
        settings.data_roots(Config({}), 'new')


@pytest.mark.parametrize(
    'value',
    [1, 0.25, 1e-7, True, None, 'word', 'a b', [1, 2], ['a b', [3]], [], '1e-3'],
)
def test_an_option_is_read_as_it_was_written(value):
    _, text = settings.option('a.b', value).split('=', 1)
    assert read_value(text) == (0.001 if value == '1e-3' else value)


@pytest.mark.parametrize('value', ['a,b', '(a,b', ' a', 'True', '"a"'])
def test_an_option_that_would_be_read_otherwise_is_refused(value):
    with pytest.raises(ValueError, match='`a` must be a value that a command'):
        settings.option('a', value)


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        (
            {'model.haed.loss.x': 1},
            '`model.haed.loss.x` must be .* no `model.haed.loss`',
        ),
        ({'model.type.x': 1}, 'no `model.type`'),
        ({'none.by.x': 1}, 'no `none.by`'),
        ({'model.parts.1': 1}, 'do not fit: .*Index 1'),
        ({'model.parts.7.x': 1}, r'no `model.parts.7`'),
    ],
)
def test_an_option_that_nothing_reads_is_refused(options, sentence):
    cfg = Config({'model': {'type': 'A', 'parts': [{'x': 0}]}, 'train_cfg': {}})
    with pytest.raises(ValueError, match=sentence):
        settings.apply(cfg, options)


def test_one_new_dict_may_be_opened():
    cfg = Config({'model': {'type': 'A'}})
    settings.apply(cfg, {'model.smoothing.epsilon': 1, 'env_cfg.cudnn': False, 'x': 2})
    assert cfg.model.smoothing == {'epsilon': 1}
    assert (cfg.env_cfg, cfg.x) == ({'cudnn': False}, 2)


@pytest.mark.parametrize(
    ('changed', 'sentence'),
    [
        ({'config': 'none.py'}, "cell 'a': there is no config 'none.py'"),
        ({'loss': 'none'}, "cell 'a': there is no loss 'none'"),
        (
            {'teacher': 'b'},
            "cell 'a': a cell with a `teacher` needs the config of a st",
        ),
        (
            {'overrides': {'no.x.y': 1}},
            "cell 'a': `no.x.y` must be a setting of the config",
        ),
    ],
)
def test_a_cell_that_cannot_run_is_named_before_anything_runs(
    tmp_path, changed, sentence
):
    base = str(tmp_path / 'base.py')
    cells = {'b': base, 'a': {'config': base} | changed}
    found = runs_of(write_plan(tmp_path, cells=cells))
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        check(found)


def test_a_config_that_cannot_be_read_is_named(tmp_path):
    path = write_plan(tmp_path, cells={'a': str(tmp_path / 'broken.py')})
    (tmp_path / 'broken.py').write_text('a = b')
    with pytest.raises(ValueError, match=r"cell 'a': the config .*cannot be read: "):
        check(runs_of(path))


def test_a_training_of_the_same_config_is_gone_on_from(tmp_path):
    run = runs_of(write_plan(tmp_path))[0]
    trained(run)
    check([run])
    # As a resumed training leaves it.
    trained(run, resume=True, load_from='work/a/seed-0/iter_1.pth')
    check([run])


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'train_cfg.max_iters': 9}, 'train_cfg.max_iters: 9 there, but 2 in the plan'),
        ({'randomness.seed': 1}, 'randomness.seed: 1 there, but 0 in the plan'),
        ({'model.new': 1}, "model.new: 1 there, but 'not set' in the plan"),
        ({'load_from': 'a.pth'}, "load_from: 'a.pth' there"),
    ],
)
def test_a_training_of_another_config_is_never_mixed_in(tmp_path, changes, sentence):
    run = runs_of(write_plan(tmp_path))[0]
    trained(run, **changes)
    with pytest.raises(ValueError, match=sentence) as error:
        check([run])
    assert 'another `--work-dir`' in str(error.value)
    assert 'delete that folder' in str(error.value)


def test_where_nothing_was_trained_a_plan_may_change(tmp_path):
    run = runs_of(write_plan(tmp_path))[0]
    trained(run, **{'randomness.seed': 1})
    (run.folder / 'iter_1.pth').unlink()
    check([run])
    write_state(run.folder, {'state': 'done'})  # only its weights are gone
    with pytest.raises(ValueError, match=r'randomness\.seed: 1 there'):
        check([run])


@pytest.mark.parametrize(
    ('hook', 'train', 'name'),
    [
        ({'by_epoch': False}, {'max_iters': 7}, 'iter_7.pth'),
        ({}, {'max_epochs': 3, 'by_epoch': True}, 'epoch_3.pth'),
    ],
)
def test_the_last_checkpoint_is_named_by_the_config(hook, train, name):
    cfg = Config({'train_cfg': train, 'default_hooks': {'checkpoint': hook}})
    assert settings.final_checkpoint(cfg) == name
