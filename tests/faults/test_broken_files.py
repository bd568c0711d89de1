"""A picture, mask or checkpoint that is truncated is refused by its name."""

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.runner import Runner
from mmseg.datasets import BaseSegDataset
from PIL import Image

from mmseg_jml.checkpoints import CheckpointError, load_from_file
from mmseg_jml.cli import preflight
from mmseg_jml.cli.launch import run_test, run_training
from mmseg_jml.cli.predict import run_prediction
from mmseg_jml.cli.teacher_report import run_teacher_report
from mmseg_jml.datasets.broken_files import name_broken_files
from mmseg_jml.files import UnreadableError
from mmseg_jml.weights import read_weights
from tests.faults.children import ALWAYS, TINY, instead, run, training

pytestmark = pytest.mark.filterwarnings('ignore:.*multi-threaded:DeprecationWarning')


@pytest.fixture
def folder(tmp_path):
    """Four pictures `a` to `d` in `img`, masks in `ann`, a config that reads them."""
    rng = np.random.default_rng(0)
    for part, suffix, shape in (('img', 'jpg', (32, 48, 3)), ('ann', 'png', (32, 48))):
        (tmp_path / part).mkdir()
        for name in 'abcd':
            pixels = rng.integers(0, 4, shape).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / part / f'{name}.{suffix}')
    (tmp_path / 'config.py').write_text(f"""
_base_ = {str(TINY)!r}
dataset = dict(
    _delete_=True,
    type='BaseSegDataset',
    data_root={str(tmp_path)!r},
    data_prefix=dict(img_path='img', seg_map_path='ann'),
    metainfo=dict(classes=list('abcd'), palette=[[i] * 3 for i in range(4)]),
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs'),
    ],
)
train_dataloader = dict(dataset=dataset, batch_size=4)
val_dataloader = test_dataloader = dict(dataset=dataset)
train_cfg = dict(max_iters=1, val_interval=1)
""")
    return tmp_path


def truncate(path, keep=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


@pytest.mark.parametrize('broken', ['img/b.jpg', 'ann/b.png'])
@pytest.mark.parametrize(('keep', 'workers'), [(0, 0), (0.5, 0), (0.9, 0), (0.5, 1)])
def test_a_loader_names_the_picture_and_the_mask(folder, broken, keep, workers):
    truncate(folder / broken, keep)
    dataset = BaseSegDataset(
        data_root=str(folder),
        data_prefix=dict(img_path='img', seg_map_path='ann'),
        metainfo=dict(classes=list('abcd'), palette=[[i] * 3 for i in range(4)]),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='mmseg.LoadAnnotations')],
    )
    name_broken_files(dataset)
    loader = torch.utils.data.DataLoader(dataset, num_workers=workers, batch_size=None)
    with pytest.raises(UnreadableError) as error:
        list(loader)
    assert f'image {folder}/img/b.jpg, mask {folder}/ann/b.png: ' in str(error.value)


def test_what_is_not_broken_is_as_it_was(folder):
    pipeline = [dict(type='LoadImageFromFile')]
    dataset = BaseSegDataset(
        data_prefix=dict(img_path=str(folder / 'img')), pipeline=pipeline
    )
    plain, transforms = dataset[1]['img'], dataset.pipeline.transforms
    for _ in range(2):  # each validation asks for it
        name_broken_files(dataset)
    assert dataset.pipeline.transforms is transforms
    np.testing.assert_array_equal(dataset[1]['img'], plain)


class Fails:
    """A transform with a mistake."""

    def __call__(self, data):
        return data['no such key']


def test_a_mistake_in_a_transform_shows_itself():
    dataset = BaseSegDataset(pipeline=[Fails()], lazy_init=True)
    name_broken_files(dataset)
    with pytest.raises(KeyError, match='no such key'):
        dataset.pipeline({'img_path': 'a.png'})


def test_a_transform_may_drop_a_picture():
    dataset = BaseSegDataset(pipeline=[lambda data: None, Fails()], lazy_init=True)
    name_broken_files(dataset)
    assert dataset.pipeline({}) is None


def test_another_kind_of_data_set_or_pipeline_is_left_alone():
    class Mine(torch.utils.data.Dataset):
        pass

    class MyCompose(Compose):
        pass

    name_broken_files(Mine())
    dataset = BaseSegDataset(pipeline=[], lazy_init=True)
    dataset.pipeline = mine = MyCompose([])
    name_broken_files(dataset)
    assert dataset.pipeline is mine


def test_a_training_ends_with_the_name_of_a_truncated_picture(folder):
    truncate(folder / 'img/c.jpg')

    def job():  # past what is looked at before a training
        with instead(preflight, 'check_data_sets', ALWAYS, lambda cfg: None):
            run_training([str(folder / 'config.py'), '--work-dir', str(folder)])

    assert run(job, folder / 'log') == 1
    said = (folder / 'log').read_text()
    assert f'error: image {folder}/img/c.jpg, mask {folder}/ann/c.png: ' in said


@pytest.mark.parametrize('broken', ['img/c.jpg', 'ann/c.png'])
def test_a_training_does_not_begin_with_a_truncated_file(folder, broken):
    truncate(folder / broken)
    with pytest.raises(SystemExit) as end:
        run_training([str(folder / 'config.py'), '--work-dir', str(folder / 'run')])
    assert f'{folder}/{broken} is not a readable image' in str(end.value)


def test_a_flag_starts_a_training_past_what_the_check_finds(folder):
    mask = np.full((32, 48), 3, np.uint8)  # of one class alone
    for path in (folder / 'ann').glob('*.png'):
        Image.fromarray(mask).save(path)
    words = [str(folder / 'config.py'), '--work-dir', str(folder / 'run')]
    with pytest.raises(SystemExit) as end:
        run_training(words)
    assert 'belong to class 3, one of 4' in str(end.value)
    assert 'Add `--no-check` to train anyway' in str(end.value)
    assert run(lambda: run_training([*words, '--no-check']), folder / 'log') == 0
    assert list((folder / 'run').glob('iter_*.pth'))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder with whole checkpoints of two and four iterations."""
    folder = tmp_path_factory.mktemp('trained')
    options = ('train_cfg.max_iters=4', 'default_hooks.checkpoint.interval=2')
    assert run(lambda: training(folder, *options), folder / 'log') == 0
    return folder


@pytest.fixture
def truncated(trained, tmp_path):
    """A checkpoint of which the last tenth is missing."""
    path = tmp_path / 'broken.pth'
    path.write_bytes((trained / 'iter_4.pth').read_bytes())
    return truncate(path, 0.9)


@pytest.mark.parametrize('keep', [0, 0.001, 0.5, 0.999])
def test_a_truncated_checkpoint_is_named(trained, tmp_path, keep):
    path = tmp_path / 'broken.pth'
    path.write_bytes((trained / 'iter_4.pth').read_bytes())
    with pytest.raises(CheckpointError, match=r'checkpoint .*broken\.pth (cannot|was)'):
        load_from_file(truncate(path, keep))


def test_text_in_place_of_a_checkpoint_is_named(tmp_path):
    (tmp_path / 'page.pth').write_text('<html>not found</html>')
    with pytest.raises(CheckpointError, match=r'checkpoint .*page\.pth was not loaded'):
        load_from_file(tmp_path / 'page.pth')


COMMANDS = {
    'test': lambda path: run_test([str(TINY), path]),
    'resume': lambda path: run_training([str(TINY), '--resume', path]),
    'predict': lambda path: run_prediction([str(TINY), path, 'pictures']),
    'teacher-report': lambda path: run_teacher_report([str(TINY), path]),
    'teacher': read_weights,
}


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_names_a_truncated_checkpoint(
    command, truncated, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'pictures').mkdir()
    Image.new('RGB', (48, 32)).save('pictures/a.jpg')
    with pytest.raises((SystemExit, CheckpointError)) as end:
        COMMANDS[command](str(truncated))
    assert f'checkpoint {truncated} cannot be read; is it complete?' in str(end.value)


def test_training_goes_on_from_the_checkpoint_before_a_truncated_one(
    trained, tmp_path, monkeypatch
):
    for name in ('iter_2.pth', 'iter_4.pth'):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    truncate(tmp_path / 'iter_4.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_4.pth'))
    resumed = []

    def resume(runner, path):
        resumed.append(path)
        raise SystemExit

    monkeypatch.setattr(Runner, 'resume', resume)
    with pytest.raises(SystemExit):
        run_training([str(TINY), '--work-dir', str(tmp_path), '--resume'])
    assert resumed == [str(tmp_path / 'iter_2.pth')]
