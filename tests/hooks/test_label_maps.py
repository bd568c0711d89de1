"""Label maps and table rows of a test lead back to one image each."""

import argparse
import csv

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmseg_jml.cli.options import apply_test_options
from mmseg_jml.hooks.label_maps import label_map_files
from tests.processes import ROOT


@pytest.fixture(scope='module')
def tested(tmp_path_factory):
    """A test with `--out` and `--per-image` of two images, both with the name 0.png."""
    folder = tmp_path_factory.mktemp('subfolders')
    rng = np.random.default_rng(0)
    for part in ('images/a', 'images/b', 'masks/a', 'masks/b'):
        (folder / part).mkdir(parents=True)
        size = (32, 48, 3) if part.startswith('images') else (32, 48)
        pixels = rng.integers(0, 256 if len(size) == 3 else 4, size, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / part / '0.png')
    cfg = Config.fromfile(ROOT / 'tests/tools/tiny.py')
    cfg.work_dir, cfg.experiment_name = str(folder / 'run'), folder.name
    cfg.test_dataloader.dataset = {
        'type': 'BaseSegDataset',
        'data_root': str(folder),
        'data_prefix': {'img_path': 'images', 'seg_map_path': 'masks'},
        'img_suffix': '.png',
        'metainfo': {'classes': 'abcd', 'palette': [[0, 0, 0]] * 4},
        'pipeline': cfg.pipeline,
    }
    off = {'tta': False, 'show': False, 'show_dir': None, 'confusion_matrix': False}
    args = {'checkpoint': None, 'out': str(folder / 'maps'), 'per_image': True}
    apply_test_options(cfg, argparse.Namespace(**off, **args))
    runner = Runner.from_cfg(cfg)
    runner.test()
    return folder, runner


def test_images_with_one_name_in_two_subfolders_have_a_label_map_each(tested):
    folder, runner = tested
    dataset = runner.test_dataloader.dataset
    found = sorted(path for path in (folder / 'maps').rglob('*') if path.is_file())
    assert found == [folder / 'maps/a/0.png', folder / 'maps/b/0.png']
    for index, path in enumerate(found):
        batch = {key: [value] for key, value in dataset[index].items()}
        (output,) = runner.model.test_step(batch)
        written = np.asarray(Image.open(path))
        np.testing.assert_array_equal(written, output.pred_sem_seg.data[0].numpy())


def test_images_with_one_name_in_two_subfolders_have_different_row_names(tested):
    (path,) = (tested[0] / 'run').rglob('calib_per_image.csv')
    with path.open(newline='') as file:
        assert [row['name'] for row in csv.DictReader(file)] == ['a/0.png', 'b/0.png']


def test_images_that_would_share_a_label_map_are_refused_by_name():
    with pytest.raises(ValueError, match=r'val/1.jpg and val/1.png would both be'):
        label_map_files(['val/1.jpg', 'val/2.jpg', 'val/1.png'])


def test_an_image_that_is_tested_twice_has_one_label_map():
    files = label_map_files(['s3://bucket/1.jpg', 's3://bucket/1.jpg'])
    assert [path.as_posix() for path in files.values()] == ['1.png']
