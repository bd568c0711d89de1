"""Reading a checkpoint runs none of the code that it brings; writing one is whole."""

import io
import os
import pickle
import threading
import zipfile
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local
from PIL import Image

from mmseg_jml import checkpoints
from mmseg_jml.checkpoints import (
    DISTRUST,
    TRUST,
    CheckpointError,
    WholeBackend,
    distrust_checkpoints,
    latest_checkpoint,
    load_from_file,
    load_weights,
)
from mmseg_jml.cli.calibrate import run_calibration
from mmseg_jml.cli.launch import run_test, run_training
from mmseg_jml.cli.plot_calibration import run_plot
from mmseg_jml.cli.predict import run_prediction
from mmseg_jml.cli.teacher_report import run_teacher_report
from mmseg_jml.weights import read_weights
from tests.processes import ROOT

TINY = str(ROOT / 'tests' / 'tools' / 'tiny.py')


class Touch:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def by_reduce(path, trace):
    """A pickle that calls a function."""
    torch.save({'state_dict': {}, 'meta': Touch(trace)}, path)


def by_attributes(path, trace):
    """A pickle that reaches `eval` by getattr, and calls it by HistoryBuffer's state.

    It needs no global but these two, which MMEngine holds for safe.
    """

    def text(words):
        return b'X' + len(words).to_bytes(4, 'little') + words.encode()

    def name(module, member):
        return f'c{module}\n{member}\n'.encode()

    def attribute(owner, member):
        return get + owner + text(member) + b'\x86R'

    def build(state):
        items = b''.join(text(key) + value for key, value in state.items())
        return b'}(' + items + b'ub'

    get = name('builtins', 'getattr')
    buffer = name('mmengine.logging.history_buffer', 'HistoryBuffer')
    evaluate = attribute(attribute(get, '__self__'), 'eval')
    fake = {
        '_statistics_methods': buffer + b')\x81' + build({'update': evaluate}),
        '_set_default_statistics': attribute(buffer, '__subclasses__'),
    }
    code = f"__import__('pathlib').Path({str(trace)!r}).touch()"
    last = build({'statistics_methods': text(code)})
    program = b'\x80\x02' + buffer + b')\x81' + build(fake) + last + b'.'
    saved = io.BytesIO()
    torch.save({}, saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, 'w') as target:
        for part in source.namelist():
            whole = part.endswith('data.pkl')
            target.writestr(part, program if whole else source.read(part))


EVIL = {'reduce': by_reduce, 'attributes': by_attributes}


@pytest.fixture(params=EVIL)
def evil(request, tmp_path):
    """A checkpoint, and the file that its code creates."""
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    EVIL[request.param](path, trace)
    return path, trace


@pytest.fixture
def distrusting():
    """This process as a command of ours leaves it."""
    distrust_checkpoints()
    yield
    CheckpointLoader.register_scheme('', loader=load_from_local, force=True)


def test_the_evil_checkpoints_are_evil(evil):
    path, trace = evil
    torch.load(path, weights_only=False)
    assert trace.exists()


def test_code_in_a_checkpoint_does_not_run(evil):
    path, trace = evil
    with pytest.raises(CheckpointError, match='could run code') as error:
        load_from_file(path)
    assert str(path) in str(error.value)
    assert TRUST in str(error.value)
    assert not trace.exists()


COMMANDS = {
    'test': lambda path: run_test([TINY, path]),
    'resume': lambda path: run_training([TINY, '--resume', path]),
    'fine-tune': lambda path: run_training(
        [TINY, '--cfg-options', f'load_from={path}']
    ),
    'predict': lambda path: run_prediction([TINY, path, 'pictures']),
    'calibrate': lambda path: run_calibration([TINY, path]),
    'teacher-report': lambda path: run_teacher_report([TINY, path]),
    'teacher': read_weights,
}


@pytest.mark.parametrize('command', COMMANDS)
def test_no_command_runs_code_in_a_checkpoint(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    by_reduce(path, trace)
    (tmp_path / 'pictures').mkdir()
    Image.new('RGB', (48, 32)).save('pictures/a.jpg')
    with pytest.raises((SystemExit, CheckpointError)) as end:
        COMMANDS[command](str(path))
    assert f'checkpoint {path} was not loaded' in str(end.value)
    assert not trace.exists()


@pytest.fixture
def address(tmp_path, monkeypatch, distrusting):
    """Where this machine hands out the files of `tmp_path`."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setattr(SimpleHTTPRequestHandler, 'log_message', lambda *_: None)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with HTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_code_in_a_checkpoint_of_an_address_does_not_run(evil, address):
    path, trace = evil
    with pytest.raises(pickle.UnpicklingError):
        load_weights(f'{address}/{path.name}')
    assert not trace.exists()


def test_a_checkpoint_of_an_address_comes_back(address, tmp_path):
    saved = {'state_dict': {'a': torch.ones(1)}, 'log': HistoryBuffer([1.5], [1])}
    torch.save(saved, tmp_path / 'a.pth')
    found = load_weights(f'{address}/a.pth')
    assert found['state_dict'] == saved['state_dict']
    assert found['log'].current() == 1.5


def test_the_config_in_a_checkpoint_is_not_executed_on_resuming(tmp_path):
    trace = tmp_path / 'trace'
    code = f"__import__('pathlib').Path({str(trace)!r}).touch()\ngpu_ids = [0]\n"
    Config.fromstring(code, file_format='.py')  # what Runner.resume does
    assert trace.exists()
    trace.unlink()
    meta = {'epoch': 0, 'iter': 1, 'config': code}
    torch.save({'state_dict': {}, 'meta': meta}, tmp_path / 'a.pth')
    assert load_from_file(tmp_path / 'a.pth')['meta'] == {'epoch': 0, 'iter': 1}


def test_what_mmengine_logs_comes_back(tmp_path):
    buffer = HistoryBuffer([1.5, 2.5], [1, 3])
    buffer.update(0.5)
    logged = {
        'loss': buffer,
        'best_score': np.float64(61.25),
        'iter': np.int64(7),
        'palette': np.arange(6, dtype=np.uint8).reshape(2, 3),
        'valid': np.array([True, False]),
    }
    weights = {'weight': torch.rand(2, 3), 'half': torch.rand(2).half()}
    saved = {'state_dict': weights, 'message_hub': logged, 'meta': {'iter': 3}}
    torch.save(saved, tmp_path / 'a.pth')
    found = load_from_file(tmp_path / 'a.pth')
    torch.testing.assert_close(found['state_dict'], weights, rtol=0, atol=0)
    assert found['meta'] == {'iter': 3}
    for name in ('best_score', 'iter', 'palette', 'valid'):
        np.testing.assert_array_equal(found['message_hub'][name], logged[name])
    read = found['message_hub']['loss']
    np.testing.assert_array_equal(read.data[0], [1.5, 2.5, 0.5])
    assert (read.mean(), read.statistics('current')) == (buffer.mean(), 0.5)


@pytest.mark.parametrize('word', ['1', 'True'])
def test_who_trusts_a_checkpoint_says_so(word, tmp_path, monkeypatch):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    by_reduce(path, trace)
    monkeypatch.setenv(TRUST, word)
    distrust_checkpoints()
    load_from_file(path)
    assert trace.exists()


def test_a_pytorch_before_2_6_loads_as_it_did(tmp_path, monkeypatch):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    by_reduce(path, trace)
    monkeypatch.setattr(checkpoints, 'CAN_DISTRUST', False)
    monkeypatch.setenv(DISTRUST, '0')
    distrust_checkpoints()
    load_from_file(path)
    assert trace.exists()


def test_arrays_with_objects_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new('RGB', (4, 3)).save('a.png')
    trace = tmp_path / 'trace'
    evil = np.array([Touch(trace)], dtype=object)
    np.savez('evil.npz', prediction=evil, confidence=evil, classes=evil, palette=evil)
    with pytest.raises(SystemExit, match=r'evil\.npz is not a file from'):
        run_plot(['maps', 'a.png', 'run=evil.npz', '--out', 'b.png'])
    assert not trace.exists()


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*a\.pth'"):
        load_from_file(str(tmp_path / 'a.pth'))


@pytest.fixture
def whole(tmp_path):
    """Write a whole checkpoint of this name, later than all before."""

    def write(name):
        torch.save({'name': name}, tmp_path / name)
        return tmp_path / name

    return write


def test_the_note_names_the_latest_checkpoint(whole, tmp_path):
    named = whole('iter_10.pth')
    whole('iter_20.pth')
    (tmp_path / 'last_checkpoint').write_text(f'{named}\n')
    assert latest_checkpoint(tmp_path) == named


def test_in_a_copied_work_dir_the_name_in_the_note_counts(whole, tmp_path):
    (tmp_path / 'original').mkdir()
    original = whole('original/iter_10.pth')
    named = whole('iter_10.pth')
    whole('iter_5.pth')  # copied later
    (tmp_path / 'last_checkpoint').write_text(str(original))
    assert latest_checkpoint(tmp_path) == named
    named.unlink()
    assert latest_checkpoint(tmp_path) == tmp_path / 'iter_5.pth'
    (tmp_path / 'iter_5.pth').unlink()
    assert latest_checkpoint(tmp_path) == original


@pytest.mark.parametrize('note', [None, '', 'iter_30.pth', 'elsewhere/iter_8.pth'])
def test_without_a_note_to_follow_it_is_the_newest_whole_one(whole, tmp_path, note):
    for name in ('iter_9.pth', 'iter_20.pth', 'best_mIoU_iter_30.pth', '.iter_4.pth'):
        whole(name)
    (tmp_path / 'iter_30.pth').write_bytes(b'PK half of it')
    if note is not None:
        (tmp_path / 'last_checkpoint').write_text(note and str(tmp_path / note))
    assert latest_checkpoint(tmp_path) == tmp_path / 'iter_20.pth'


def test_of_two_of_the_same_moment_the_higher_is_the_latest(whole, tmp_path):
    for name in ('iter_9.pth', 'iter_20.pth', 'iter_100.pth', 'iter_30.pth'):
        os.utime(whole(name), ns=(0, 0))
    assert latest_checkpoint(tmp_path) == tmp_path / 'iter_100.pth'


def test_an_empty_folder_has_no_latest_checkpoint(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / 'none') is None


def test_an_old_file_goes_when_the_new_one_is_there(tmp_path):
    old, new = tmp_path / 'old.pth', tmp_path / 'new.pth'
    old.write_bytes(b'old')
    WholeBackend().remove(str(old))
    assert old.exists()
    WholeBackend().put(b'new', str(new))
    assert [path.name for path in tmp_path.iterdir()] == ['new.pth']
    assert new.read_bytes() == b'new'


def test_an_old_file_stays_when_the_new_one_cannot_be_written(tmp_path, monkeypatch):
    old = tmp_path / 'old.pth'
    old.write_bytes(b'old')

    def full(path, data):
        raise OSError(28, 'No space left on device')

    WholeBackend().remove(old)
    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(OSError, match=r'new\.pth'):
        WholeBackend().put(b'new', tmp_path / 'new.pth')
    assert old.exists()
    monkeypatch.undo()
    WholeBackend().put(b'new', tmp_path / 'new.pth')
    assert not old.exists()


def test_files_of_another_folder_are_not_removed(tmp_path):
    """MMEngine would remove the best of the run that a checkpoint was copied from."""
    other = tmp_path / 'other' / 'best.pth'
    other.parent.mkdir()
    other.write_bytes(b'')
    WholeBackend().remove(other)
    WholeBackend().put(b'new', tmp_path / 'new.pth')
    assert other.exists()


def test_a_file_that_is_written_again_is_not_removed(tmp_path):
    path = tmp_path / 'a.pth'
    WholeBackend().put(b'old', path)
    WholeBackend().remove(path)
    WholeBackend().put(b'new', path)
    assert path.read_bytes() == b'new'
