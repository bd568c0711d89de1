"""The data sets of the paper: recipe, layout on disk, folds."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_jml.datasets.report import inspect_split
from tests.processes import ROOT

# By name: classes, crop, scale (width, height), what is ignored in a made mask.
RECIPES = {
    'cityscapes': (19, (512, 1024), (2048, 1024), 255),
    'voc12aug': (21, (512, 512), (500, 500), 255),
    'ade20k': (150, (512, 512), (2048, 512), 0),
    'deepglobe': (6, (512, 512), (2448, 2448), 255),
}
# By name, for each split: picture, mask, and the list that holds the name.
SEGMENTATION = 'ImageSets/Segmentation'
LAYOUTS = {
    'cityscapes': {
        split: (
            f'leftImg8bit/{split}/town/town_000_019_leftImg8bit.png',
            f'gtFine/{split}/town/town_000_019_gtFine_labelTrainIds.png',
            None,
        )
        for split in ('train', 'val')
    },
    'voc12aug': {
        'train': ('JPEGImages/7.jpg', 'SegmentationClassAug/7.png', 'trainaug'),
        'val': ('JPEGImages/8.jpg', 'SegmentationClass/8.png', 'val'),
    },
    'ade20k': {
        'train': ('images/training/7.jpg', 'annotations/training/7.png', None),
        'val': ('images/validation/8.jpg', 'annotations/validation/8.png', None),
    },
    'deepglobe': {
        'train': ('land-train/7_sat.jpg', 'labels/7.png', 'folds/fold0_train'),
        'val': ('land-train/8_sat.jpg', 'labels/8.png', 'folds/fold0_val'),
    },
}


@pytest.fixture(params=RECIPES)
def name(request):
    return request.param


@pytest.fixture
def cfg(name, monkeypatch):
    monkeypatch.delenv('DEEPGLOBE_FOLD', raising=False)
    return load(name)


def load(name):
    init_default_scope('mmseg')
    return Config.fromfile(ROOT / f'configs/_base_/datasets/{name}.py')


def of(pipeline, kind):
    return next(step for step in pipeline if step.type == kind)


def test_augmentation_is_scale_crop_and_flip_alone(cfg, name):
    _, crop, scale, _ = RECIPES[name]
    assert [step.type for step in cfg.train_pipeline] == [
        'LoadImageFromFile',
        'LoadAnnotations',
        'RandomResize',
        'RandomCrop',
        'RandomFlip',
        'PackSegInputs',
    ]
    resize = of(cfg.train_pipeline, 'RandomResize')
    assert (tuple(resize.scale), tuple(resize.ratio_range)) == (scale, (0.5, 2.0))
    assert resize.keep_ratio is True
    assert of(cfg.train_pipeline, 'RandomCrop') == {
        'type': 'RandomCrop',
        'crop_size': crop,
    }
    assert of(cfg.train_pipeline, 'RandomFlip').prob == 0.5
    assert cfg.crop_size == crop


def test_the_batch_is_8(cfg):
    assert cfg.train_dataloader.batch_size == 8


def test_training_never_ends_and_tests_see_each_picture_once(cfg):
    sampler = {'type': 'InfiniteSampler', 'shuffle': True}
    assert cfg.train_dataloader.sampler == sampler
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert loader.sampler == {'type': 'DefaultSampler', 'shuffle': False}
        assert loader.batch_size == 1


def test_pictures_are_tested_at_full_size_but_for_ade20k(cfg, name):
    resizes = [step for step in cfg.test_pipeline if 'Resize' in step.type]
    scales = [(step.scale, step.keep_ratio) for step in resizes]
    assert scales == ([((2048, 512), True)] if name == 'ade20k' else [])


def test_scores_come_from_a_list_of_metrics_for_both_splits(cfg):
    assert cfg.val_evaluator == [
        {'type': 'IoUMetric', 'iou_metrics': ['mIoU']},
        {'type': 'CalibrationMetric'},
    ]
    assert cfg.test_evaluator == cfg.val_evaluator
    assert cfg.test_dataloader == cfg.val_dataloader


def test_ade20k_alone_ignores_zero(cfg, name):
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        assert loader.dataset.get('reduce_zero_label', False) is (name == 'ade20k')


def test_data_lie_below_the_folder_that_one_starts_in(cfg):
    assert cfg.data_root.startswith('data/')
    assert not Path(cfg.data_root).is_absolute()


@pytest.mark.parametrize('fold', [0, 3])
def test_a_fold_is_chosen_for_every_split_at_once(monkeypatch, fold):
    monkeypatch.setenv('DEEPGLOBE_FOLD', str(fold))
    cfg = load('deepglobe')
    assert cfg.fold == fold
    assert cfg.train_dataloader.dataset.ann_file == f'folds/fold{fold}_train.txt'
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.ann_file == f'folds/fold{fold}_val.txt'


def make(name, root):
    """A picture and a mask of noise in each split, in the data set's layout."""
    rng, (classes, *_, ignored) = np.random.default_rng(0), RECIPES[name]
    ids = np.arange(classes) + (ignored == 0)
    for picture, mask, listed in LAYOUTS[name].values():
        for path in (picture, mask):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (80, 120, 3), np.uint8)
        Image.fromarray(pixels).save(root / picture)
        label = np.resize(rng.permutation([*ids, ignored]), (80, 120))
        Image.fromarray(label.astype(np.uint8)).save(root / mask)
        if listed:
            folder = SEGMENTATION if name == 'voc12aug' else '.'
            path = root / folder / f'{listed}.txt'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'{Path(mask).stem}\n')


@pytest.mark.parametrize('split', ['train', 'val'])
def test_the_layout_is_read_and_every_class_found(cfg, name, split, tmp_path):
    make(name, tmp_path)
    dataset = cfg[f'{split}_dataloader'].dataset
    report = inspect_split(split, dataset | {'data_root': str(tmp_path)})
    assert (report.problems, report.notes) == ([], [])
    assert report.paths == {str(tmp_path / LAYOUTS[name][split][0])}
    assert len(report.classes) == RECIPES[name][0]
    assert (report.pixels > 0).all()


def test_a_training_sample_is_a_crop(cfg, name, tmp_path):
    make(name, tmp_path)
    dataset = cfg.train_dataloader.dataset | {'data_root': str(tmp_path)}
    sample = DATASETS.build(dataset)[0]
    height, width = sample['inputs'].shape[1:]
    assert height <= cfg.crop_size[0]
    assert width <= cfg.crop_size[1]
    label = sample['data_samples'].gt_sem_seg.data
    assert label.shape == (1, height, width)
    assert set(label.unique().tolist()) <= {*range(RECIPES[name][0]), 255}


def test_a_test_sample_keeps_its_labels_size(cfg, name, tmp_path):
    make(name, tmp_path)
    dataset = cfg.test_dataloader.dataset | {'data_root': str(tmp_path)}
    sample = DATASETS.build(dataset)[0]
    assert sample['data_samples'].gt_sem_seg.data.shape == (1, 80, 120)


# What `../shared/data/layouts` holds, by its README: ids as the training sees them.
REAL = {
    'cityscapes': ('cityscapes', {}, {0, 2, 8, 9}),
    'voc12aug': ('VOCdevkit/VOC2012', 'train', {0, 4, 7, 16, 20}),
    'ade20k': ('ade_style', {}, {0, 1, 2, 3, 4}),
}


@pytest.mark.parametrize('name', REAL)
def test_the_real_layouts_are_read(name, shared_dir):
    folder, listed, classes = REAL[name]
    root = shared_dir / 'data/layouts' / folder
    if not root.is_dir():
        pytest.skip(f'no {folder} in `../shared/data/layouts`')
    cfg, found = load(name), set()
    for split, count in (('train', 4), ('val', 2)):
        dataset = cfg[f'{split}_dataloader'].dataset | {'data_root': str(root)}
        if listed and split == 'train':  # no train_aug there
            dataset['ann_file'] = f'{SEGMENTATION}/{listed}.txt'
            dataset['data_prefix']['seg_map_path'] = 'SegmentationClass'
        report = inspect_split(split, dataset)
        assert (report.problems, len(report.paths)) == ([], count)
        found |= set(np.flatnonzero(report.pixels[:-1]).tolist())
    assert found == classes
