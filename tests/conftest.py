"""What every test may use."""

import os
from pathlib import Path

import pytest
import torch

from tests.processes import free_port

ROOT = Path(__file__).resolve().parent.parent

# Tests run side by side on few cores: more threads each would only fight.
torch.set_num_threads(1)
os.environ['OMP_NUM_THREADS'] = '1'


@pytest.fixture(scope='session')
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope='session')
def shared_dir() -> Path:
    """The optional folder beside the checkout with golden numbers and real pictures."""
    shared = ROOT.parent / 'shared'
    if not shared.is_dir():
        pytest.skip('no folder `../shared` beside the checkout')
    return shared


@pytest.fixture
def port() -> str:
    """A free port of this machine."""
    return free_port()


@pytest.fixture(autouse=True)
def trust_in_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of our commands forbids its process to unpickle: until the test ends."""
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '0')
