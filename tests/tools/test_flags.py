"""The flags of tools/train.py and tools/test.py, and their words for bad input."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.device import get_device
from PIL import Image

from mmseg_jml.cli.launch import prepare_mmseg, run_test, run_training
from tests.processes import ROOT, environment, run_python
from tests.tools.models import write_config

TRAIN = ROOT / 'tools' / 'train.py'
TEST = ROOT / 'tools' / 'test.py'
TINY = ROOT / 'tests' / 'tools' / 'tiny.py'
OPTION = ('--cfg-options',)
SHORT = (
    '--cfg-options',
    'train_cfg.max_iters=2',
    'default_hooks.checkpoint.interval=2',
)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder with a finished training in `run`."""
    folder = tmp_path_factory.mktemp('trained')
    done = run_python(TRAIN, TINY, '--work-dir', 'run', *SHORT, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_default_work_dir_is_named_after_the_config(tmp_path):
    done = run_python(TRAIN, TINY, *SHORT, cwd=tmp_path)
    assert (tmp_path / 'work_dirs' / 'tiny' / 'iter_2.pth').is_file(), done.stderr


def test_resume_takes_a_checkpoint(trained, tmp_path):
    path = trained / 'run' / 'iter_2.pth'
    options = ('--cfg-options', 'train_cfg.max_iters=5')
    done = run_python(TRAIN, TINY, '--resume', path, *options, cwd=tmp_path)
    assert 'resumed epoch: 0, iter: 2' in done.stdout, done.stderr
    assert (tmp_path / 'work_dirs' / 'tiny' / 'iter_5.pth').is_file()


def test_test_evaluates_saves_and_paints(trained, tmp_path):
    flags = ('--tta', '--out', 'maps', '--show-dir', 'painted', '--work-dir', 'run')
    done = run_python(TEST, TINY, trained / 'run/iter_2.pth', *flags, cwd=tmp_path)
    assert 'mIoU' in done.stdout, done.stderr
    assert len(list((tmp_path / 'maps').glob('*.png'))) == 4
    assert len(list((tmp_path / 'painted').rglob('*.png'))) == 4


def test_a_table_of_pictures_needs_nothing_of_the_config(trained):
    flags = ('--per-image', '--confusion-matrix', '--work-dir', 'tables')
    done = run_python(TEST, TINY, trained / 'run/iter_2.pth', *flags, cwd=trained)
    assert 'mIoU' in done.stdout, done.stderr
    (table,) = (trained / 'tables').glob('*/calib_per_image.csv')
    head, *rows = table.read_text().splitlines()
    assert head.startswith('name,intersection.')
    assert len(rows) == 4
    # That of a confusion matrix neither: rows and columns of the same pictures.
    (matrix,) = (trained / 'tables').glob('*/confusion_matrix.csv')
    assert len(matrix.read_text().splitlines()) == 1 + 4


def test_a_loss_is_put_in_and_then_changed(tmp_path):
    loss = 'model.decode_head.loss_decode'
    flags = (*SHORT, f'{loss}.losses.1.threshold=0.25', '--loss', 'jml')
    done = run_python(TRAIN, TINY, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trained = Config.fromfile(tmp_path / 'work_dirs' / 'tiny-jml' / 'tiny.py')
    parts = trained.model.decode_head.loss_decode.losses
    assert [part.type for part in parts] == [
        'SoftCrossEntropyLoss',
        'JaccardMetricLoss',
    ]
    assert parts[1].threshold == 0.25


@pytest.fixture
def cpu_only(monkeypatch, tmp_path):
    """A machine without an accelerator, and no rank from a launcher."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.delenv('RANK', raising=False)
    monkeypatch.setattr('mmengine.device.is_cuda_available', lambda: False)
    monkeypatch.setattr('mmseg_jml.cli.preflight.get_device', lambda: 'cpu')


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['nothing.py'], "no config 'nothing.py'"),
        ([TINY, '--amp'], 'needs a CUDA, NPU or MLU device'),
        ([TINY, '--amp', *OPTION, 'optim_wrapper.type=Mine'], "got 'Mine'"),
        ([TINY, *OPTION, 'optim_wrapper.type=AmpOptimWrapper'], 'needs a CUDA, NPU'),
        ([TINY, '--loss', 'jnl'], "no loss 'jnl'"),
        ([TINY, '--resume', 'no.pth'], "`--resume`: there is no file 'no.pth'"),
        ([TINY, '--launcher', 'pytorch'], 'processes that torchrun started'),
        ([TINY, '--launcher', 'slurm'], 'env_cfg.dist_cfg.backend=gloo'),
        (
            [TINY, *OPTION, 'model.decode_head.num_classes=7'],
            'the dataset of `train_dataloader`: the model has 7 classes',
        ),
    ],
)
def test_train_answers_bad_input_with_a_sentence(cpu_only, arguments, sentence):
    with pytest.raises(SystemExit) as end:
        run_training([str(argument) for argument in arguments])
    assert str(end.value).startswith('error: ')
    assert sentence in str(end.value)


def test_train_needs_the_pictures(cpu_only, tmp_path):
    dataset = "dict(_delete_=True, type='BaseSegDataset', data_root='no/folder')"
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {str(TINY)!r}\nval_dataloader = dict(dataset={dataset})\n'
    )
    with pytest.raises(SystemExit) as end:
        run_training([str(config)])
    assert 'error: the dataset of `val_dataloader`: ' in str(end.value)
    assert 'no/folder' in str(end.value)


@pytest.mark.parametrize(
    ('flags', 'sentence'),
    [
        (['--tta', *OPTION, 'tta_model=None'], '`--tta` needs tta_model in the config'),
        (['--launcher', 'slurm'], 'env_cfg.dist_cfg.backend=gloo'),
    ],
)
def test_test_answers_bad_input_with_a_sentence(cpu_only, tmp_path, flags, sentence):
    (tmp_path / 'a.pth').write_bytes(b'')
    with pytest.raises(SystemExit) as end:
        run_test([str(TINY), 'a.pth', *flags])
    assert str(end.value).startswith('error: ')
    assert sentence in str(end.value)


def test_test_needs_its_checkpoint(cpu_only):
    with pytest.raises(SystemExit, match=r'`checkpoint`: there is no file'):
        run_test([str(TINY), 'no.pth'])


@pytest.fixture
def images(tmp_path):
    """Options of a test dataset whose images have no masks."""
    Image.new('RGB', (48, 32)).save(tmp_path / 'a.jpg')
    (tmp_path / 'a.pth').write_bytes(b'')
    dataset = {
        '_delete_': True,
        'type': 'BaseSegDataset',
        'data_root': str(tmp_path),
        'data_prefix': {'img_path': '', 'seg_map_path': 'ann'},
        'metainfo': {'classes': list('abcd')},
        'pipeline': Config.fromfile(TINY).pipeline,
    }
    return write_config(tmp_path / 'config.py', {'test_dataloader.dataset': dataset})


def test_images_without_masks_are_told_to_be_predicted(cpu_only, images):
    with pytest.raises(SystemExit, match=r'error: .* `python -m mmseg_jml predict'):
        run_test([str(images), 'a.pth'])
    # Predictions alone need no masks; what is refused is the checkpoint.
    with pytest.raises(SystemExit, match='checkpoint a'):
        run_test([str(images), 'a.pth', *OPTION, 'test_evaluator.format_only=True'])


def test_a_missing_folder_of_test_images_is_named(cpu_only, images):
    option = 'test_dataloader.dataset.data_root=/no such folder'
    with pytest.raises(SystemExit, match=r'`test_dataloader`: .*/no such folder'):
        run_test([str(images), 'a.pth', *OPTION, option])


def test_a_sentence_ends_the_process_with_status_1(tmp_path):
    done = run_python(TRAIN, 'nothing.py', cwd=tmp_path)
    assert done.returncode == 1
    assert "error: there is no config 'nothing.py'" in done.stderr
    assert 'Traceback' not in done.stderr


def test_two_processes_train_on_cpu(tmp_path, port):
    # torchrun stands beside the interpreter, which need not be on the path.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ['PATH']))
    environ = {'PORT': port, 'PATH': path, 'CUDA_VISIBLE_DEVICES': '-1'}
    script = str(ROOT / 'tools' / 'dist_train.sh')
    done = subprocess.run(
        ['bash', script, str(TINY), '2', *SHORT, 'env_cfg.dist_cfg.backend=gloo'],
        cwd=tmp_path,
        env={**environment(), **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'work_dirs' / 'tiny' / 'iter_2.pth').is_file()
    assert 'GPU number: 2' in done.stdout  # mmengine's word for the world size


ONE_RANK = """
import gc, os, sys
import torch
os.environ |= dict(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0', CUDA_VISIBLE_DEVICES='-1')
os.environ |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=sys.argv[1])
from mmseg_jml.cli.launch import run_training
run_training([*sys.argv[2:], 'env_cfg.dist_cfg.backend=gloo'])
wrapper = torch.nn.parallel.DistributedDataParallel
assert not torch.distributed.is_initialized()
assert not [each for each in gc.get_objects() if isinstance(each, wrapper)]
"""


def test_no_process_group_is_left_to_the_interpreters_exit(tmp_path, port):
    # There its threads, if they still run, abort a training that is finished.
    options = (TINY, '--launcher', 'pytorch', *SHORT)
    done = run_python('-c', ONE_RANK, port, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_apples_gpu_is_left_alone(monkeypatch, capsys):
    monkeypatch.setattr('mmengine.device.utils.DEVICE', 'mps')
    prepare_mmseg()
    assert get_device() == 'cpu'
    assert 'float64' in capsys.readouterr().err


def test_the_local_rank_of_open_mpi_is_that_of_the_process(monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '')  # to be as it was in the end
    monkeypatch.delenv('LOCAL_RANK')
    monkeypatch.setenv('OMPI_COMM_WORLD_LOCAL_RANK', '3')
    with pytest.raises(SystemExit, match='needs a GPU'):
        run_training([str(TINY), '--launcher', 'mpi'])
    assert os.environ['LOCAL_RANK'] == '3'
