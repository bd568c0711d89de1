"""Laws of the shipped configs: each holds for every leaf, whatever leaves there are."""

import re

import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS

from tests.configs.tree import (
    BASES,
    CONFIGS,
    LEAVES,
    NAME,
    heads,
    identity,
    learns_unlabelled,
    load,
    parts,
)

# What a leaf's losses, its teacher and its pseudo-labels add to a config.
OF_LOSSES = ('loss_', 'distill_', 'teacher', 'unlabelled')
OF_TEACHER = re.compile('type|teacher.*|.*distill_losses|unlabelled|pseudo_label')
LENGTH = 17  # lines of a leaf, at most
LENGTH_SEMI = 26


@pytest.fixture(scope='module', params=LEAVES, ids=identity)
def path(request):
    return request.param


@pytest.fixture(scope='module')
def cfg(path):
    return load(path)


@pytest.fixture(scope='module')
def name(path):
    return NAME.fullmatch(path.stem)


@pytest.mark.parametrize('base', BASES, ids=identity)
def test_every_base_parses_alone(base):
    assert Config.fromfile(base)


def test_every_base_but_models_is_used():
    """A model may wait for a user; everything else is there for a leaf."""
    used = set()
    files = list(LEAVES)
    for path in files:
        for base in re.findall(r"'(\.\S*\.py)'", path.read_text()):
            target = (path.parent / base).resolve()
            if target not in used:
                used.add(target)
                files.append(target)
    assert used <= set(BASES)
    assert {b for b in set(BASES) - used if b.parent.name != 'models'} == set()


def test_a_leaf_is_a_few_lines(path):
    most = LENGTH_SEMI if learns_unlabelled(path) else LENGTH
    assert len(path.read_text().splitlines()) <= most


def test_the_name_follows_mmsegs_scheme(name):
    assert name


def test_the_name_tells_batch_length_and_crop(cfg, name):
    iters = int(name['iters'].replace('k', '000'))
    assert cfg.train_dataloader.batch_size == int(name['batch'])
    assert cfg.train_cfg.max_iters == iters
    crop = (int(name['height']), int(name['width']))
    assert tuple(cfg.model.data_preprocessor.size) == crop
    assert tuple(cfg.crop_size) == crop


def test_the_model_and_the_data_are_those_of_the_name(path, name):
    text = path.read_text()
    assert f'/models/{name["model"]}.py' in text
    data = name['data'].replace('-', '_')
    found = re.findall(r'/(?:datasets|recipes)/(\w+)\.py', text)
    assert [re.sub('^(mmseg|semi)_|_adamw$', '', each) for each in found] == [data]


def test_every_head_has_the_data_sets_classes(cfg):
    (classes,) = {head.num_classes for head in heads(cfg).values()}
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for dataset in parts(loader):
            metainfo = dataset.get('metainfo') or DATASETS.get(dataset.type).METAINFO
            assert classes == dataset.get('num_classes', len(metainfo['classes']))
            assert classes <= len(metainfo['palette'])


def test_no_picture_of_training_is_in_another_split(cfg):
    def split(dataset):
        keys = ('data_root', 'data_prefix', 'ann_file', 'indices', 'seed')
        return [dataset.get(key) for key in keys]

    held_out = [split(cfg[f'{key}_dataloader'].dataset) for key in ('val', 'test')]
    for dataset in parts(cfg.train_dataloader):
        assert split(dataset) not in held_out


def test_every_split_has_the_same_data_set_but_for_the_split(cfg):
    def same(dataset):
        own = ('data_prefix', 'ann_file', 'indices', 'seed', 'length', 'pipeline')
        return {k: v for k, v in dataset.items() if k not in own}

    for dataset in (*parts(cfg.train_dataloader), cfg.test_dataloader.dataset):
        assert same(dataset) == same(cfg.val_dataloader.dataset)


def test_every_loader_reads_by_the_pipeline_that_the_config_shows(cfg):
    labelled, *unlabelled = parts(cfg.train_dataloader)
    assert labelled.pipeline == cfg.train_pipeline
    assert [each.pipeline for each in unlabelled] == [
        cfg.unlabelled_pipeline for _ in unlabelled
    ]
    assert cfg.val_dataloader.dataset.pipeline == cfg.test_pipeline
    assert cfg.test_dataloader.dataset.pipeline == cfg.test_pipeline


def test_test_and_validation_are_scored_alike_by_mean_iou_and_calibration(path, cfg):
    assert cfg.val_evaluator == cfg.test_evaluator
    metrics = cfg.val_evaluator
    if learns_unlabelled(path):
        assert (metrics.type, set(metrics)) == ('SemiEvaluator', {'type', 'metrics'})
        metrics = metrics.metrics
    iou, calibration = metrics
    assert iou == {'type': 'IoUMetric', 'iou_metrics': ['mIoU']}
    assert calibration == {'type': 'CalibrationMetric'}


def test_what_is_measured_of_calibration_is_drawn(path, cfg):
    calibration, *others = cfg.custom_hooks
    assert calibration == {'type': 'CalibrationHook'}
    logged = [{'type': 'PseudoLabelHook'}] if learns_unlabelled(path) else []
    assert others == logged


def test_augmentation_at_test_time_sees_each_picture_and_its_mirror_image(cfg):
    assert cfg.tta_model.type == 'MergedSegTTAModel'
    load_image, augment = cfg.tta_pipeline
    alone = [group[0] for group in augment.transforms if len(group) == 1]
    assert [load_image, *alone] == cfg.test_pipeline
    (flips,) = (group for group in augment.transforms if len(group) > 1)
    assert [(flip.type, flip.prob) for flip in flips] == [
        ('RandomFlip', 0),
        ('RandomFlip', 1),
    ]


def test_the_learning_rate_is_set_from_the_first_iteration_to_the_last(cfg):
    schedulers = cfg.param_scheduler
    assert [each.by_epoch for each in schedulers] == [False] * len(schedulers)
    ends = [0, *(each.end for each in schedulers)]
    assert [each.begin for each in schedulers] == ends[:-1]
    assert ends[-1] == cfg.train_cfg.max_iters


def test_a_killed_run_loses_at_most_a_fifth_and_the_best_is_kept(path, cfg):
    hook = cfg.default_hooks.checkpoint
    assert hook.interval <= max(200, cfg.train_cfg.max_iters / 5)
    assert not hook.by_epoch
    best = 'ema/mIoU' if learns_unlabelled(path) else 'mIoU'
    assert (hook.save_best, hook.rule) == (best, 'greater')
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
        cfg = load(path).to_dict()
        name = NAME.fullmatch(path.stem)
        for key in [key for key in cfg if key.startswith(OF_LOSSES)]:
            del cfg[key]
        for key in [key for key in cfg['model'] if OF_TEACHER.fullmatch(key)]:
            del cfg['model'][key]
        cfg['train_dataloader']['dataset'].pop('strong_views', None)
        del cfg['model']['decode_head']['loss_decode']
        # The baseline's auxiliary head keeps its loss, so that one loss changes.
        if 'auxiliary_head' in cfg['model'] and not name['baseline']:
            del cfg['model']['auxiliary_head']['loss_decode']
        run = name.group('model', 'baseline', 'iters', 'data', 'labels', 'batch')
        recipes.setdefault(run, []).append(cfg)
    assert all(cfg == group[0] for group in recipes.values() for cfg in group)


def test_the_tree_has_configs_of_ours_alone():
    assert {path.suffix for path in CONFIGS.rglob('*.*') if path.is_file()} <= {
        '.py',
        '.pyc',
        '.yml',
        '.md',
    }
