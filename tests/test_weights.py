"""A command predicts with exactly the weights of a checkpoint, or not at all."""

from collections import OrderedDict

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file

from mmseg_jml.checkpoints import CheckpointError
from mmseg_jml.cli.launch import run_test, run_training
from mmseg_jml.cli.loading import load_model
from mmseg_jml.cli.predict import run_prediction
from mmseg_jml.cli.teacher_report import run_teacher_report
from mmseg_jml.weights import read_weights
from tests.segmentors.distilled import build
from tests.segmentors.semi_supervised import semi_config
from tests.tools.models import TINY, write_checkpoint, write_config, write_pictures

CLASSES = ('background', 'line', 'star', 'disk')


@pytest.fixture(scope='module')
def right(tmp_path_factory):
    """A checkpoint as a training writes it."""
    return write_checkpoint(tmp_path_factory.mktemp('right') / 'a.pth', TINY)


@pytest.fixture
def state(right):
    return torch.load(right, weights_only=False)['state_dict']


def prefixed(prefix, state):
    return OrderedDict((prefix + key, value) for key, value in state.items())


def saved(folder, checkpoint):
    torch.save(checkpoint, folder / 'a.pth')
    return str(folder / 'a.pth')


def ema_of_mmcv(state):
    return {'ema_' + key.replace('.', '_'): value for key, value in state.items()}


def backbone(state):
    return {key: value for key, value in state.items() if key.startswith('backbone.')}


def without_batch_norm(state):
    return {key: value for key, value in state.items() if 'running_' not in key}


def as_nan(state):
    return state | {'decode_head.conv_seg.bias': torch.full((4,), float('nan'))}


WRONG = {
    'mmcv_average': (ema_of_mmcv, 'a moving average from MMCV'),
    'two_sets': (lambda s: s | ema_of_mmcv(s), 'a moving average from MMCV'),
    'own_prefix': (lambda s: prefixed('net.', s), r"with the prefix 'net\.'"),
    'some_prefixed': (
        lambda s: prefixed('model.', s) | {'loss.weight': torch.ones(1)},
        r"the prefix 'model\.'",
    ),
    'backbone': (backbone, 'contains only a pretrained backbone'),
    'torchvision': (
        lambda s: {k.removeprefix('backbone.'): v for k, v in backbone(s).items()},
        'contains only a pretrained backbone',
    ),
    'no_statistics': (
        without_batch_norm,
        'keys the model has and the checkpoint lacks',
    ),
    'more': (
        lambda s: s | {'backbone.layer9.weight': torch.ones(1)},
        '1 keys the checkpoint has and the model lacks: backbone.layer9.weight',
    ),
    'shape': (
        lambda s: s | {'decode_head.conv_seg.bias': torch.ones(7)},
        r'decode_head.conv_seg.bias \(7,\) instead of \(4,\)',
    ),
    'empty': (lambda _: {}, 'the dictionary of weights is empty'),
    'nan': (as_nan, '1 of its tensors contain NaN or inf, first decode_head.conv_seg'),
    'semi': (
        lambda _: build(semi_config()).state_dict(),
        'mmseg_jml export CONFIG CHECKPOINT OUT',
    ),
}


@pytest.mark.parametrize('kind', WRONG)
def test_weights_that_are_not_the_models_are_refused(kind, state, tmp_path):
    change, words = WRONG[kind]
    path = saved(tmp_path, {'state_dict': change(state), 'meta': {}})
    with pytest.raises(CheckpointError, match=words):
        load_model(Config.fromfile(TINY), path)


def test_what_holds_no_weights_is_refused_by_what_it_holds(state, tmp_path):
    path = saved(tmp_path, {'net': state, 'epoch': 3})
    with pytest.raises(
        CheckpointError, match=r'has no weights.*it contains net, epoch'
    ):
        read_weights(path)


READ = {
    'plain': dict,
    'no_meta': lambda s: {'state_dict': s},
    'model': lambda s: {'model': s},
    'data_parallel': lambda s: {'state_dict': prefixed('module.', s)},
    'lightning': lambda s: {'state_dict': prefixed('model.', s), 'epoch': 3},
    'both': lambda s: {'state_dict': prefixed('model.module.', s)},
    'old_batch_norm': lambda s: {
        k: v for k, v in s.items() if 'num_batches_tracked' not in k
    },
    'auxiliary_head': lambda s: s | {'auxiliary_head.conv_seg.bias': torch.ones(4)},
    'another_loss': lambda s: s | {'decode_head.loss_decode.scale': torch.ones(1)},
    'older_mmseg': lambda s: {'state_dict': s, 'meta': {'CLASSES': CLASSES}},
}


@pytest.mark.parametrize('kind', READ)
def test_other_forms_of_the_same_weights_are_read(kind, state, tmp_path):
    path = saved(tmp_path, READ[kind](state))
    model = load_model(Config.fromfile(TINY), path, 'cpu')
    loaded = model.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state.items())
    assert model.dataset_meta['classes'] == CLASSES
    assert len(model.dataset_meta['palette']) == len(CLASSES)


def test_safetensors_are_read(state, tmp_path):
    save_file(dict(state), tmp_path / 'a.safetensors')
    path = str(tmp_path / 'a.safetensors')
    loaded = load_model(Config.fromfile(TINY), path).state_dict()
    assert all(torch.equal(loaded[key].cpu(), value) for key, value in state.items())


def test_a_damaged_file_of_safetensors_is_named(tmp_path):
    (tmp_path / 'a.safetensors').write_bytes(b'nothing')
    with pytest.raises(CheckpointError, match=r'a\.safetensors cannot be read'):
        read_weights(str(tmp_path / 'a.safetensors'))


def test_classes_and_colours_are_the_checkpoints_before_the_configs(state, tmp_path):
    meta = {'CLASSES': list('abcd'), 'PALETTE': [[i] * 3 for i in range(4)]}
    path = saved(tmp_path, {'state_dict': state, 'meta': meta})
    found = load_model(Config.fromfile(TINY), path).dataset_meta
    assert found == {'classes': tuple('abcd'), 'palette': meta['PALETTE']}


def test_classes_without_a_name_are_numbered(state, tmp_path):
    cfg = Config.fromfile(TINY)
    cfg.test_dataloader = None
    found = load_model(cfg, saved(tmp_path, dict(state))).dataset_meta
    assert found['classes'] == ('0', '1', '2', '3')
    assert len(found['palette']) == 4


def test_loading_leaves_config_and_random_numbers_alone(right):
    cfg = Config.fromfile(TINY)
    before = cfg.pretty_text
    torch.manual_seed(3)
    load_model(cfg, str(right))
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert cfg.pretty_text == before
    assert torch.equal(drawn, torch.rand(1))


def test_a_semi_supervised_model_takes_its_student_alone(state, tmp_path):
    cfg = Config.fromfile(TINY)
    cfg.model = semi_config()
    model = load_model(cfg, saved(tmp_path, dict(state)), 'cpu')
    student = {k: v for k, v in model.state_dict().items() if 'teacher.' not in k}
    assert all(torch.equal(student[key], value) for key, value in state.items())
    assert int(model.teacher.steps) == 0  # so it predicts with the student


def test_half_an_average_is_refused(tmp_path):
    cfg = Config.fromfile(TINY)
    cfg.model = semi_config()
    whole = build(cfg.model).state_dict()
    half = {k: v for k, v in whole.items() if k != 'teacher.steps'}
    with pytest.raises(CheckpointError, match=r'lacks: teacher.steps'):
        load_model(cfg, saved(tmp_path, half))


COMMANDS = {
    'test': lambda path: run_test([str(TINY), path, '--work-dir', 'out']),
    'test --tta': lambda path: run_test(
        [str(TINY), path, '--tta', '--work-dir', 'out']
    ),
    'predict': lambda path: run_prediction([str(TINY), path, '.', '--out', 'out']),
    'teacher-report': lambda path: run_teacher_report(
        [str(TINY), path, '--out', 'out']
    ),
}


@pytest.mark.parametrize('command', COMMANDS)
def test_a_refused_command_leaves_its_folder_alone(
    command, state, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path)
    path = saved(tmp_path, {'state_dict': backbone(state), 'meta': {}})
    with pytest.raises(
        SystemExit, match=r'(?s)error: .* contains only a pretrained backbone'
    ):
        COMMANDS[command](path)
    assert not (tmp_path / 'out').exists()


@pytest.mark.filterwarnings('ignore:The shape of value will convert')  # of TTA
@pytest.mark.parametrize('flags', [(), ('--tta',)], ids=['', 'tta'])
def test_testing_finds_the_weights_where_predicting_does(
    flags, right, state, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    found = []
    monkeypatch.setattr('mmengine.runner.Runner.call_hook', spy(found), raising=True)
    path = saved(tmp_path, {'model': prefixed('model.', state)})
    name = f'weights-{bool(flags)}'
    options = ('visualizer.type=Visualizer', f'visualizer.name={name}')
    run_test(
        [str(TINY), path, *flags, '--cfg-options', *options, f'experiment_name={name}']
    )
    (loaded,) = found
    assert all(torch.equal(loaded[key], value) for key, value in state.items())


def spy(found):
    """What Runner.call_hook does, noting the weights that a test is run with."""
    from mmengine.runner import Runner

    from mmseg_jml.hooks.weights import bare

    call_hook = Runner.call_hook

    def noting(runner, name, **kwargs):
        if name == 'before_test':
            found.append(bare(runner.model).state_dict())
        return call_hook(runner, name, **kwargs)

    return noting


def test_a_training_does_not_start_from_weights_of_which_none_fits(
    state, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path, {'state_dict': prefixed('net.', state)})
    with pytest.raises(SystemExit, match='has no weight of the model'):
        run_training([str(TINY), '--cfg-options', f'load_from={path}'])


def test_a_training_does_not_go_on_from_another_models_checkpoint(
    state, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path / 'config.py', {'model.decode_head.num_convs': 2})
    meta = {'iter': 1, 'epoch': 0}
    path = saved(tmp_path, {'state_dict': state, 'meta': meta, 'message_hub': {}})
    with pytest.raises(SystemExit, match=r'(?s)`--resume` .*5 keys the model has'):
        run_training([str(config), '--resume', path, '--work-dir', 'out'])
