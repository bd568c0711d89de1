"""The semi-supervised leaves: what they read, what they learn, and from whom."""

from copy import deepcopy
from itertools import islice

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmseg_jml.cli.make_splits import make_splits
from mmseg_jml.cli.preflight import (
    check_data_sets,
    check_loop,
    check_save_best,
    prepare_launcher,
)
from mmseg_jml.datasets.semi_sampler import check_loader
from tests.configs.test_dataset_bases import LAYOUTS, RECIPES, make
from tests.configs.tree import (
    CONFIGS,
    LEAVES,
    NAME,
    identity,
    learns_unlabelled,
    load,
    parts,
)
from tests.processes import ROOT

SEMI = [path for path in LEAVES if NAME.fullmatch(path.stem)['labels']]
LEARNING = [path for path in SEMI if learns_unlabelled(path)]
CE = [{'type': 'SoftCrossEntropyLoss'}]
JML = [
    {'type': 'SoftCrossEntropyLoss', 'loss_weight': 0.25},
    {'type': 'JaccardMetricLoss', 'loss_weight': 0.75, 'threshold': 0.5},
]
# The losses of an unlabelled picture, the weights of its views, CutMix.
OBJECTIVES = {
    'mean-teacher': (CE, {'weak': 1}, 0),
    'mean-teacher-jml': (JML, {'weak': 1}, 0),
    'fixmatch-ce': (CE, {'strong': 1}, 0.5),
    'fixmatch-jml': (JML, {'strong': 1}, 0.5),
    'unimatch-jml': (JML, {'strong': 0.25, 'strong_2': 0.25, 'features': 0.5}, 0.5),
}
# UniMatch's on VOC and Cityscapes.
THRESHOLDS = {'voc12aug': 0.95, 'cityscapes': 0, 'ade20k': 0.95}


@pytest.fixture(params=SEMI, ids=identity)
def path(request):
    return request.param


@pytest.fixture(params=LEARNING, ids=identity)
def learning(request):
    return request.param


def test_the_lists_are_those_of_the_name(path):
    folder = f'splits/{NAME.fullmatch(path.stem)["labels"].replace("of", "_")}'
    lists = [part.ann_file for part in parts(load(path).train_dataloader)]
    expected = [f'{folder}/labelled.txt', f'{folder}/unlabelled.txt']
    assert lists == expected[: 2 if learns_unlabelled(path) else 1]


def test_half_of_every_batch_is_labelled(learning):
    loader = load(learning).train_dataloader
    check_loader(loader)
    assert tuple(loader.sampler.ratio) == (1, 1)


def test_the_two_differ_in_the_list_and_the_pipeline_alone(learning):
    labelled, unlabelled = (
        {k: v for k, v in part.items() if k not in ('ann_file', 'pipeline')}
        for part in parts(load(learning).train_dataloader)
    )
    assert labelled == unlabelled


def test_an_unlabelled_picture_is_scaled_cropped_and_flipped_as_a_labelled_one(
    learning,
):
    cfg = load(learning)
    assert cfg.unlabelled_pipeline[1] == {'type': 'LoadOptionalAnnotations'}
    assert cfg.train_pipeline[1] == {'type': 'LoadAnnotations'}
    assert cfg.train_pipeline[-1] == {'type': 'PackSegInputs'}
    geometry = cfg.train_pipeline[2:-1]
    assert cfg.unlabelled_pipeline == [
        cfg.train_pipeline[0],
        cfg.unlabelled_pipeline[1],
        *geometry,
    ]


def test_the_strong_views_that_the_student_learns_from_are_made_and_no_other(learning):
    cfg = load(learning)
    asked = [view for view in cfg.model.unlabelled.views if 'strong' in view]
    assert cfg.train_dataloader.dataset.get('strong_views', 1) == len(asked)


def test_the_objective_of_unlabelled_pictures(learning):
    name = NAME.fullmatch(learning.stem)
    objective = load(learning).model.unlabelled
    losses, views, cutmix = OBJECTIVES[name['loss']]
    given = objective.loss.to_dict()
    assert given.get('losses', [given]) == losses
    assert (objective.views.to_dict(), objective.get('cutmix', 0)) == (views, cutmix)


def test_how_sure_the_teacher_has_to_be(learning):
    threshold = THRESHOLDS.get(learning.parent.name)
    if threshold is not None:
        given = load(learning).model.pseudo_label
        assert given == {'threshold': threshold, 'temperature': 0.5}


def test_the_best_checkpoint_is_by_a_figure_that_is_measured(learning):
    cfg = deepcopy(load(learning))
    check_save_best(cfg)
    for chosen, best in (('student', 'ema/mIoU'), ('both', 'mIoU'), ('ema', ['aAcc'])):
        cfg.model.eval_model = chosen
        cfg.default_hooks.checkpoint.save_best = best
        with pytest.raises(ValueError, match='save_best` must be'):
            check_save_best(cfg)
    cfg.model.eval_model = 'both'
    for best in ('student/mIoU', ['ema/mIoU', 'student/mIoU'], 'auto', None):
        cfg.default_hooks.checkpoint.save_best = best
        check_save_best(cfg)


@pytest.mark.parametrize('name', ['voc12aug', 'cityscapes', 'ade20k'])
def test_a_data_set_is_split_checked_and_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = Config.fromfile(ROOT / f'configs/_base_/datasets/{name}.py')
    write_layout(name, tmp_path / plain.data_root)
    quick = 'train_dataloader.dataset.serialize_data=False'
    base = f'configs/_base_/datasets/{name}.py'
    make_splits([base, '--fractions', '1/8', '--cfg-options', quick])
    cfg = Config.fromfile(CONFIGS / f'_base_/datasets/semi_{name}.py')
    cfg.model = {'decode_head': {'num_classes': RECIPES[name][0]}}
    loader = cfg.train_dataloader
    for part in parts(loader):
        part.serialize_data = False
    cfg.val_dataloader = None
    check_data_sets(cfg)
    loader.update(num_workers=0, persistent_workers=False, batch_size=4)
    for batch in islice(Runner.build_dataloader(loader, seed=0), 3):
        assert {k: len(v) for k, v in batch['inputs'].items()} == {
            'labelled': 2,
            'weak': 2,
            'strong': 2,
        }
        for weak in batch['data_samples']['weak']:
            ids = weak.gt_sem_seg.data.unique()
            assert torch.isin(ids, torch.tensor([*range(RECIPES[name][0]), 254])).all()


def write_layout(name, root):
    """Three training pictures, and one of validation, in the layout of a data set."""
    make(name, root)
    picture, mask, listed = LAYOUTS[name]['train']
    for number in '56':
        for path in (picture, mask):
            copy = root / path.replace('7', number).replace('019', f'01{number}')
            copy.write_bytes((root / path).read_bytes())
    if listed:
        (root / 'ImageSets/Segmentation' / f'{listed}.txt').write_text('5\n6\n7\n')


EPOCHS = [
    {'type': 'EpochBasedTrainLoop', 'max_epochs': 2},
    {'by_epoch': True, 'max_epochs': 2},
]


@pytest.mark.parametrize('sampler', ['InfiniteSampler', 'mmseg.SemiSupervisedSampler'])
@pytest.mark.parametrize('train_cfg', EPOCHS)
def test_epochs_of_a_sampler_without_an_end_are_refused(train_cfg, sampler):
    loader = {'sampler': {'type': sampler}}
    with pytest.raises(ValueError, match='the first epoch would never end'):
        check_loop(Config({'train_cfg': train_cfg, 'train_dataloader': loader}))


@pytest.mark.parametrize(
    ('train_cfg', 'sampler'),
    [
        ({'type': 'IterBasedTrainLoop', 'max_iters': 2}, 'InfiniteSampler'),
        (EPOCHS[0], 'DefaultSampler'),
    ],
)
def test_loops_that_end_are_not_refused(train_cfg, sampler):
    loader = {'sampler': {'type': sampler}}
    check_loop(Config({'train_cfg': train_cfg, 'train_dataloader': loader}))


@pytest.mark.parametrize(
    ('kind', 'with_cp', 'static'),
    [
        ('SemiEncoderDecoder', True, True),
        ('SemiEncoderDecoder', False, None),
        ('EncoderDecoder', True, None),
    ],
)
def test_a_checkpointed_backbone_of_several_views_has_a_static_graph(
    kind, with_cp, static, monkeypatch
):
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setattr('mmseg_jml.cli.preflight.get_device', lambda: 'cuda')
    model = {'type': kind, 'backbone': {'with_cp': with_cp}}
    cfg = Config({'launcher': 'pytorch', 'model': model})
    prepare_launcher(cfg)
    assert (cfg.get('model_wrapper_cfg') or {}).get('static_graph') == static
