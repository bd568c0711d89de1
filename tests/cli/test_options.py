"""What `train` changes in a config without being asked."""

import argparse

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mmseg_jml.cli.options import apply_train_options

WHOLE = {'backend': 'whole'}


def applied(resume=None, **cfg):
    cfg = Config(cfg)
    apply_train_options(cfg, argparse.Namespace(amp=False, resume=resume))
    return cfg


@pytest.mark.parametrize('kind', ['CheckpointHook', 'mmengine.CheckpointHook'])
def test_checkpoints_are_written_whole(kind):
    hooks = {'checkpoint': {'type': kind, 'interval': 5}}
    changed = applied(default_hooks=hooks).default_hooks.checkpoint
    assert changed == {'type': kind, 'interval': 5, 'backend_args': WHOLE}


def test_a_hook_that_mmengine_adds_writes_whole_files_too():
    added = {'type': 'CheckpointHook', 'backend_args': WHOLE}
    assert applied().default_hooks.checkpoint == added
    by_class = {'checkpoint': {'type': CheckpointHook}}
    assert applied(default_hooks=by_class).default_hooks.checkpoint['backend_args']


@pytest.mark.parametrize(
    'hook',
    [
        None,
        {'type': 'MyHook'},
        {'type': 'CheckpointHook', 'backend_args': {'backend': 'petrel'}},
        {'type': 'CheckpointHook', 'file_client_args': {'backend': 'disk'}},
        {'type': 'CheckpointHook', 'out_dir': 's3://bucket'},
    ],
)
def test_a_hook_with_a_place_of_its_own_is_left_alone(hook):
    assert applied(default_hooks={'checkpoint': hook}).default_hooks.checkpoint == hook


def test_nothing_to_resume_is_said_and_starts_from_what_the_config_loads(
    tmp_path, capsys
):
    cfg = applied('auto', work_dir=str(tmp_path), load_from='pretrained.pth')
    assert (cfg.resume, cfg.load_from) == (False, 'pretrained.pth')
    assert (
        f'There is no checkpoint to resume from in {tmp_path}'
        in capsys.readouterr().err
    )


def test_what_is_resumed_comes_before_what_the_config_loads(tmp_path):
    torch.save({}, tmp_path / 'iter_5.pth')
    cfg = applied('auto', work_dir=str(tmp_path), load_from='pretrained.pth')
    assert (cfg.resume, cfg.load_from) == (True, str(tmp_path / 'iter_5.pth'))
