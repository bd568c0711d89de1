"""tools/dataset_converters, from raw folders to label maps and lists."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmseg_jml.datasets.deepglobe_land import DeepGlobeLandDataset
from tests.processes import ROOT, environment
from tests.tools.scripts import load_script

DEEPGLOBE = ROOT / 'tools' / 'dataset_converters' / 'deepglobe.py'
PALETTE = np.array([*DeepGlobeLandDataset.METAINFO['palette'], [0, 0, 0]], np.uint8)
UNKNOWN = 6


@pytest.fixture(scope='module')
def deepglobe():
    return load_script('dataset_converters/deepglobe.py')


@pytest.fixture(scope='module')
def voc_aug():
    return load_script('dataset_converters/voc_aug.py')


def make_deepglobe(root, count, size=(6, 4)):
    """Pictures and colour masks of random classes; their ids, unknown being 255."""
    (root / 'land-train').mkdir(parents=True)
    rng, ids = np.random.default_rng(0), {}
    for name in map(str, range(100, 100 + count)):
        label = rng.integers(0, 7, size[::-1])
        Image.new('RGB', size).save(root / f'land-train/{name}_sat.jpg')
        Image.fromarray(PALETTE[label]).save(root / f'land-train/{name}_mask.png')
        ids[name] = np.where(label == UNKNOWN, 255, label)
    return ids


def labels(folder):
    return {path.stem: np.array(Image.open(path)) for path in folder.glob('[!.]*.png')}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, label in found.items():
        np.testing.assert_array_equal(label, expected[name])


def test_deepglobe_masks_become_the_ids_they_were_painted_from(deepglobe, tmp_path):
    ids = make_deepglobe(tmp_path, 5)
    assert deepglobe.main([str(tmp_path)]) == 0
    assert_same(labels(tmp_path / 'labels'), ids)


def test_deepglobe_folds_are_lists_of_the_pictures(deepglobe, tmp_path):
    ids = make_deepglobe(tmp_path, 11)
    deepglobe.main([str(tmp_path)])
    names = sorted(ids)
    for fold in range(5):
        train, val = (
            (tmp_path / f'folds/fold{fold}_{split}.txt').read_text().split()
            for split in ('train', 'val')
        )
        assert val == names[2 * fold : 2 * fold + 2]
        assert sorted(train + val) == names


def test_deepglobe_says_when_the_folds_are_not_the_papers(deepglobe, tmp_path, capsys):
    make_deepglobe(tmp_path, 5)
    deepglobe.main([str(tmp_path)])
    assert "5 images; the paper's folds have 803" in capsys.readouterr().out


def test_deepglobe_names_what_is_wrong_and_converts_the_rest(
    deepglobe, tmp_path, capsys
):
    make_deepglobe(tmp_path, 8)
    source = tmp_path / 'land-train'
    (source / '100_mask.png').unlink()
    (source / '101_sat.jpg').unlink()
    (source / '102_mask.png').write_bytes(b'')
    Image.new('L', (6, 4)).save(source / '103_mask.png')
    Image.new('RGB', (4, 4)).save(source / '104_mask.png')
    assert deepglobe.main([str(tmp_path)]) == 1
    assert labels(tmp_path / 'labels').keys() == {'105', '106', '107'}
    report = capsys.readouterr().out
    assert f'mask {source}/100_mask.png is missing' in report
    assert f'mask {source}/101_mask.png has no image' in report
    assert f'{source}/102_mask.png' in report
    assert f'{source}/103_mask.png cannot be converted: it must be RGB' in report
    assert f'mask {source}/104_mask.png is 4x4, but its image is 6x4' in report
    assert '5 problem(s)' in report


@pytest.mark.parametrize('count', [0, 4])
def test_deepglobe_needs_its_pictures(deepglobe, tmp_path, count):
    make_deepglobe(tmp_path, count)
    with pytest.raises(
        SystemExit, match=rf'error: there are {count} images \*_sat\.jpg in'
    ):
        deepglobe.main([str(tmp_path)])


def copy_often(root, ids, times):
    """Copy every picture and mask under other names; return the ids of all."""
    source = root / 'land-train'
    for name in list(ids):
        for number in range(times):
            copy = f'{name}{number:03}'
            shutil.copy(source / f'{name}_sat.jpg', source / f'{copy}_sat.jpg')
            shutil.copy(source / f'{name}_mask.png', source / f'{copy}_mask.png')
            ids[copy] = ids[name]
    return ids


def test_a_killed_converter_goes_on_where_it_stood(deepglobe, tmp_path):
    ids = copy_often(tmp_path, make_deepglobe(tmp_path, 5, size=(400, 300)), 19)
    folder = tmp_path / 'labels'
    command = [sys.executable, str(DEEPGLOBE), str(tmp_path), '--workers', '1']
    with (tmp_path / 'log').open('w') as log:
        process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while len(list(folder.glob('[!.]*.png'))) < 1:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail((tmp_path / 'log').read_text()[-2000:])
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = {path: path.stat().st_mtime_ns for path in folder.glob('[!.]*.png')}
    assert 1 <= len(done) < len(ids)
    assert deepglobe.main([str(tmp_path)]) == 0
    assert_same(labels(folder), ids)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert not list(folder.glob('.*'))


def test_deepglobe_reads_the_layout(deepglobe, shared_dir, tmp_path):
    source = shared_dir / 'data/layouts/deepglobe_like'
    if not source.is_dir():
        pytest.skip('no layouts in `../shared/data`')
    (tmp_path / 'land-train').mkdir()
    for path in source.glob('*/*'):
        shutil.copy(path, tmp_path / 'land-train')
    assert deepglobe.main([str(tmp_path)]) == 0
    found = labels(tmp_path / 'labels')
    assert len(found) == 6
    # Urban, forest, water, barren and unknown are what occurs there.
    assert set(np.concatenate([np.unique(m) for m in found.values()])) == {
        0,
        3,
        4,
        5,
        255,
    }


@pytest.fixture
def voc(tmp_path):
    """A VOC2012 with three own masks, an SBD with three, of which one is VOC's val."""
    root, sbd = tmp_path / 'VOC2012', tmp_path / 'sbd'
    (root / 'ImageSets/Segmentation').mkdir(parents=True)
    for folder in (root / 'JPEGImages', root / 'SegmentationClass', sbd / 'cls'):
        folder.mkdir(parents=True)
    for name in ('own', 'both', 'val', 'sbd'):
        Image.new('RGB', (6, 4)).save(root / f'JPEGImages/{name}.jpg')
    for name in ('own', 'both', 'val'):
        mask = Image.fromarray(np.full((4, 6), 255, np.uint8)).convert('P')
        mask.putpalette(list(range(256)) * 3)
        mask.save(root / f'SegmentationClass/{name}.png')
    for index, name in enumerate(('both', 'val', 'sbd')):
        write_mat(sbd / f'cls/{name}.mat', np.full((4, 6), 18 + index, np.uint8))
    (root / 'ImageSets/Segmentation/train.txt').write_text('own\nboth\n')
    (root / 'ImageSets/Segmentation/val.txt').write_text('val\n')
    return root, sbd


def write_mat(path, label):
    """A file in SBD's form: a struct with the label map and, beside it, boundaries."""
    boundaries = np.empty((20, 1), object)
    boundaries.fill(np.zeros((4, 6)))
    savemat(path, {'GTcls': {'Boundaries': boundaries, 'Segmentation': label}})


def test_train_aug_is_train_and_sbd_without_val(voc_aug, voc):
    root, sbd = voc
    assert voc_aug.main([str(sbd), str(root)]) == 0
    listed = (root / 'ImageSets/Segmentation/trainaug.txt').read_text()
    assert listed.split() == ['both', 'own', 'sbd']
    assert labels(root / 'SegmentationClassAug').keys() == {'both', 'own', 'sbd'}


def test_vocs_own_masks_come_before_sbds(voc_aug, voc):
    root, sbd = voc
    voc_aug.main([str(sbd), str(root)])
    found = labels(root / 'SegmentationClassAug')
    assert {name: np.unique(label).tolist() for name, label in found.items()} == {
        'own': [255],
        'both': [255],
        'sbd': [20],
    }


def test_voc_aug_names_what_is_wrong_and_converts_the_rest(voc_aug, voc, capsys):
    root, sbd = voc
    broken = sbd / 'cls' / 'broken.mat'
    broken.write_bytes((sbd / 'cls/sbd.mat').read_bytes()[:150])
    write_mat(sbd / 'cls' / 'ids.mat', np.full((4, 6), 21, np.uint8))
    write_mat(sbd / 'cls' / 'wide.mat', np.zeros((4, 7), np.uint8))
    for name in ('broken', 'ids', 'wide'):
        shutil.copy(root / 'JPEGImages/sbd.jpg', root / f'JPEGImages/{name}.jpg')
    assert voc_aug.main([str(sbd), str(root)]) == 1
    assert labels(root / 'SegmentationClassAug').keys() == {'both', 'own', 'sbd'}
    report = capsys.readouterr().out
    assert f'mask {broken} cannot be converted' in report
    assert 'ids.mat cannot be converted: it contains the ids [21]' in report
    assert 'wide.mat is 7x4, but its image is 6x4' in report


def test_voc_aug_needs_sbds_masks(voc_aug, voc, tmp_path):
    with pytest.raises(SystemExit, match=r'error: there are no masks \*\.mat in'):
        voc_aug.main([str(tmp_path), str(voc[0])])


def test_voc_aug_needs_vocs_lists(voc_aug, voc, tmp_path):
    with pytest.raises(SystemExit, match=r'error: .*train\.txt'):
        voc_aug.main([str(voc[1]), str(tmp_path / 'nowhere')])


def test_voc_aug_says_that_it_needs_scipy(voc_aug, voc, monkeypatch):
    monkeypatch.setitem(sys.modules, 'scipy.io', None)
    with pytest.raises(SystemExit, match='pip install scipy'):
        voc_aug.main([str(voc[1]), str(voc[0])])
