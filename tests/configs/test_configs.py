"""Laws of the shipped configs: each holds for every leaf, whatever leaves there are."""

import copy
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS

from mmseg_jml.labels import BoundaryLabelSmoothing, LabelSmoothing
from mmseg_jml.losses import CompoundLoss, JaccardMetricLoss, SoftCrossEntropyLoss
from tests.processes import ROOT

CONFIGS = ROOT / 'configs'
LEAVES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
BASES = sorted(CONFIGS.glob('_base_/**/*.py'))
# The losses that a file name speaks of: (loss, its weight) and the label smoothing.
CE, JML = (SoftCrossEntropyLoss, 1.0), (JaccardMetricLoss, 1.0)
BOTH = [(SoftCrossEntropyLoss, 0.25), (JaccardMetricLoss, 0.75)]
RECIPES = {
    'ce': ([CE], None),
    'ce-bls': ([CE], BoundaryLabelSmoothing),
    'jml': (BOTH, None),
    'jml-ls': (BOTH, LabelSmoothing),
    'jml-bls': (BOTH, BoundaryLabelSmoothing),
}
NAME = re.compile(
    r'(?P<model>[a-z0-9+-]+_[a-z0-9-]+)_'
    r'(?P<gpus>\d+)xb(?P<batch>\d+)-(?P<loss>[a-z-]+?)-(?P<iters>\d+k?)_'
    r'(?P<data>[a-z0-9-]+)-(?P<height>\d+)x(?P<width>\d+)'
)


def identity(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


@pytest.fixture(scope='module', params=LEAVES, ids=identity)
def path(request):
    return request.param


@pytest.fixture(scope='module')
def cfg(path):
    init_default_scope('mmseg')
    return Config.fromfile(path)


@pytest.fixture(scope='module')
def name(path):
    return NAME.fullmatch(path.stem)


def test_there_are_leaves_for_the_demo_and_for_camvid():
    found = {(path.parent.name, NAME.fullmatch(path.stem)['loss']) for path in LEAVES}
    assert found >= {('demo', 'ce'), ('demo', 'jml-bls')}
    assert found >= {('camvid', loss) for loss in RECIPES}


@pytest.mark.parametrize('base', BASES, ids=identity)
def test_every_base_parses_alone(base):
    assert Config.fromfile(base)


def test_every_base_is_used():
    used = {
        (path.parent / base).resolve()
        for path in LEAVES
        for base in re.findall(r"'(\S*_base_/\S+\.py)'", path.read_text())
    }
    assert used == set(BASES)


def test_the_name_follows_mmsegs_scheme(name):
    assert name


def test_the_name_tells_batch_length_and_crop(cfg, name):
    iters = int(name['iters'].replace('k', '000'))
    assert cfg.train_dataloader.batch_size == int(name['batch'])
    assert cfg.train_cfg.max_iters == iters
    crop = (int(name['height']), int(name['width']))
    assert tuple(cfg.model.data_preprocessor.size) == crop
    assert tuple(cfg.crop_size) == crop


def test_the_name_tells_the_losses(cfg, name):
    head = MODELS.build(cfg.model).decode_head
    losses, smoothing = RECIPES[name['loss']]
    built = head.loss_decode
    parts = list(built.children()) if isinstance(built, CompoundLoss) else [built]
    assert [(type(part), part.loss_weight) for part in parts] == losses
    kinds = {type(part.label_smoothing) for part in parts}
    assert kinds == {type(None) if smoothing is None else smoothing}


def test_boundary_smoothing_is_the_papers(cfg):
    smoothing = cfg.loss_decode.get('label_smoothing') or {}
    if smoothing.get('type') == 'BoundaryLabelSmoothing':
        assert (smoothing.kernel_size, smoothing.epsilon) == (3, 0.5)
    else:
        assert 'kernel_size' not in smoothing


def test_the_model_trains_and_predicts_every_class(cfg):
    model = MODELS.build(cfg.model)
    classes = cfg.model.decode_head.num_classes
    inputs = torch.rand(2, 3, 64, 64)
    logits = model.encode_decode(inputs, [{'img_shape': (64, 64)}] * 2)
    assert logits.shape == (2, classes, 64, 64)
    labels = torch.randint(0, classes, (2, 64, 64))
    losses = model.decode_head.loss_decode
    parts = losses if isinstance(losses, CompoundLoss) else [losses]
    sum(loss(logits, labels) for loss in parts).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_model_has_the_data_sets_classes(cfg):
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = DATASETS.build(
            {**copy.deepcopy(loader.dataset), 'lazy_init': True, 'pipeline': []}
        )
        assert len(dataset.metainfo['classes']) == cfg.model.decode_head.num_classes
        assert len(dataset.metainfo['palette']) == cfg.model.decode_head.num_classes


def test_no_picture_is_in_two_splits(cfg):
    loaders = (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)
    keys = ('data_root', 'data_prefix', 'ann_file', 'seed')
    splits = [str([loader.dataset.get(key) for key in keys]) for loader in loaders]
    assert len(set(splits)) == 3


def test_every_split_has_the_same_data_set_but_for_the_split(cfg):
    def same(loader):
        own = ('data_prefix', 'ann_file', 'seed', 'length', 'pipeline')
        return {k: v for k, v in loader.dataset.items() if k not in own}

    assert same(cfg.train_dataloader) == same(cfg.val_dataloader)
    assert same(cfg.val_dataloader) == same(cfg.test_dataloader)


def test_test_and_validation_are_scored_alike_by_mean_iou_and_calibration(cfg):
    assert cfg.val_evaluator == cfg.test_evaluator
    iou, calibration = cfg.val_evaluator
    assert iou == {'type': 'IoUMetric', 'iou_metrics': ['mIoU']}
    assert calibration == {'type': 'CalibrationMetric'}


def test_what_is_measured_of_calibration_is_drawn(cfg):
    assert cfg.custom_hooks == [{'type': 'CalibrationHook'}]


def test_augmentation_at_test_time_sees_each_picture_and_its_mirror_image(cfg):
    assert cfg.tta_model.type == 'MergedSegTTAModel'
    load, augment = cfg.tta_pipeline
    alone = [group[0] for group in augment.transforms if len(group) == 1]
    assert [load, *alone] == cfg.test_pipeline
    (flips,) = (group for group in augment.transforms if len(group) > 1)
    assert [(flip.type, flip.prob) for flip in flips] == [
        ('RandomFlip', 0),
        ('RandomFlip', 1),
    ]


def test_the_learning_rate_warms_up_and_falls_to_zero_at_the_end(cfg):
    warm_up, decay = cfg.param_scheduler
    assert (warm_up.type, warm_up.begin) == ('LinearLR', 0)
    assert warm_up.end == decay.begin
    assert (decay.type, decay.power, decay.eta_min) == ('PolyLR', 0.9, 0)
    assert decay.end == cfg.train_cfg.max_iters
    assert not warm_up.by_epoch
    assert not decay.by_epoch


def test_a_killed_run_loses_at_most_a_fifth_and_the_best_is_kept(cfg):
    hook = cfg.default_hooks.checkpoint
    assert hook.interval <= max(200, cfg.train_cfg.max_iters / 5)
    assert not hook.by_epoch
    assert (hook.save_best, hook.rule) == ('mIoU', 'greater')
    assert cfg.train_cfg.max_iters % cfg.train_cfg.val_interval == 0


def test_progress_is_shown_at_least_every_50_iterations(cfg):
    assert cfg.default_hooks.logger.interval <= 50
    assert cfg.log_processor.by_epoch is False


def test_the_seed_is_fixed(cfg):
    assert cfg.randomness == {'seed': 0}


@pytest.mark.parametrize(
    'folder', sorted({path.parent for path in LEAVES}), ids=identity
)
def test_leaves_of_one_model_and_data_set_differ_in_the_loss_alone(folder):
    recipes = {}
    for path in folder.glob('*.py'):
        cfg = Config.fromfile(path).to_dict()
        del cfg['loss_decode'], cfg['model']['decode_head']['loss_decode']
        name = NAME.fullmatch(path.stem)
        recipes.setdefault((name['model'], name['data']), []).append(cfg)
    assert all(cfg == group[0] for group in recipes.values() for cfg in group)
