"""Nothing is asked of the network, unless a config names an address."""

import socket

import pytest

from mmseg_jml.cli.launch import run_test, run_training
from tests.processes import ROOT

TINY = str(ROOT / 'tests' / 'tools' / 'tiny.py')
OPTIONS = (
    'train_cfg.max_iters=1',
    'train_cfg.val_interval=1',
    'default_hooks.checkpoint.interval=1',
)


class NetworkError(Exception):
    """Somebody asked for the network."""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What this process asks of a network that is not there."""
    asked = []

    def refuse(*what, **_):
        asked.append(what)
        raise NetworkError(what)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    for name in ('connect', 'connect_ex', 'sendto'):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ('getaddrinfo', 'gethostbyname', 'create_connection'):
        monkeypatch.setattr(socket, name, refuse)
    return asked


def test_training_and_testing_ask_for_no_network(asked, tmp_path):
    run_training([TINY, '--work-dir', 'run', '--cfg-options', *OPTIONS])
    run_test([TINY, str(tmp_path / 'run' / 'iter_1.pth')])
    assert asked == []


def test_an_address_of_pretrained_weights_is_asked_for(asked):
    init = 'model.backbone.init_cfg'
    pretrained = f'{init}.type=Pretrained', f'{init}.checkpoint=https://a.invalid/b.pth'
    with pytest.raises(NetworkError):
        run_training([TINY, '--cfg-options', *OPTIONS, *pretrained])
    assert 'a.invalid' in str(asked)
