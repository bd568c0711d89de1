"""A config that cannot be used ends in a sentence that says why."""

import argparse
import gc

import pytest
from mmengine.config import Config

from mmseg_jml.cli.launch import TRAINING
from mmseg_jml.cli.reading import read_config

# MMEngine leaves its copy of a config open when running it fails.
pytestmark = pytest.mark.filterwarnings(
    'ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning'
)


@pytest.fixture
def read(tmp_path, monkeypatch):
    """`read_config` of a text, written as `config.py` in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(text, needs=('model',), config='config.py', **args):
        (tmp_path / 'config.py').write_text(text)
        args = {'loss': None, 'cfg_options': None, 'checkpoint': None} | args
        return read_config(argparse.Namespace(config=config, **args), needs)

    yield call
    gc.collect()


def refusal(read, *args, **options):
    with pytest.raises(ValueError, match=r'.') as error:
        read(*args, **options)
    return str(error.value)


MODEL = "model = dict(type='EncoderDecoder')\n"


def test_a_config_is_read_and_changed(read):
    text = f"{MODEL}train_dataloader = dict(dataset=dict(data_root='here'))\n"
    options = {'train_dataloader.dataset.data_root': '/my data'}
    path, cfg = read(text, cfg_options=options)
    assert path.name == 'config.py'
    assert isinstance(cfg, Config)
    assert cfg.train_dataloader.dataset.data_root == '/my data'


def test_a_checkpoint_before_the_config_is_told_to_be_swapped(read, tmp_path):
    (tmp_path / 'a.pth').touch()
    said = refusal(read, MODEL, config='a.pth', checkpoint='config.py')
    assert said.endswith("and 'config.py' as the checkpoint: swap them")


def test_a_config_is_no_checkpoint_and_a_checkpoint_no_config(read, tmp_path):
    (tmp_path / 'a.pth').touch()
    assert "got 'config.py'" in refusal(read, MODEL, checkpoint='config.py')
    assert 'ends in one of .py, ' in refusal(read, MODEL, config='a.pth')


def test_each_part_that_a_command_needs_is_asked_for(read):
    assert 'config.py has no `model`:' in refusal(read, 'a = 1\n')
    said = refusal(read, f'{MODEL}train_cfg = dict()\n', TRAINING)
    assert 'has no `train_dataloader` and no `optim_wrapper`:' in said
    assert read('a = 1\n', needs=())[1].a == 1


def test_a_loss_for_a_config_without_a_model_asks_for_the_model(read):
    assert 'has no `model`:' in refusal(read, 'a = 1\n', loss='jml')


@pytest.mark.parametrize('model', ['dict(head=1)', "'EncoderDecoder'"])
def test_a_model_needs_a_type(read, model):
    assert 'must be a dict with a `type`' in refusal(read, f'model = {model}\n')


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('model = dict(\n  a=)\n', 'SyntaxError: '),
        (
            'a = 1\nmodel = b\n',
            'NameError on line 2 of it or of one of its bases: name',
        ),
        ("_base_ = 'no.py'\n", 'FileNotFoundError: '),
    ],
)
def test_an_error_in_a_config_is_told_with_its_place(read, text, reason):
    assert f'the config config.py cannot be read: {reason}' in refusal(read, text)


def test_a_module_of_the_users_keeps_its_traceback(read, tmp_path, monkeypatch):
    (tmp_path / 'broken_module.py').write_text('1 / 0\n')
    monkeypatch.syspath_prepend(tmp_path)
    text = "custom_imports = dict(imports=['broken_module'])\n"
    with pytest.raises(ZeroDivisionError):
        read(text + MODEL)


@pytest.mark.parametrize('key', ['model.type.x', 'pipeline.7.type'])
def test_an_option_that_does_not_fit_is_named(read, key):
    said = refusal(read, f'{MODEL}pipeline = [dict()]\n', cfg_options={key: 1})
    assert said.startswith(f'`--cfg-options` {key} do not fit the config: ')
