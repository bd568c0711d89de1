"""The effective recipe of every leaf against tables written by hand.

The paper's recipe is section 3.1 of arXiv 2302.05666 and, where it is silent, the
authors' code: 1 % of warm-up from 1e-6, no decay of vectors, weights of the heads.
"""

from typing import NamedTuple

import pytest
import torch
from mmseg.registry import MODELS

from mmseg_jml.losses import CompoundLoss
from tests.configs.tree import CONFIGS, LEAVES, NAME, heads, identity, load


class Recipe(NamedTuple):
    """What a folder trains with."""

    optimizer: str
    rate: float
    decay: float
    momentum: float | None
    head_rate: float  # times that of the backbone
    vectors_decay: bool
    warm_up: int  # iterations
    first: float  # share of the rate at the first iteration
    power: float
    last: float  # rate at the end
    iterations: int
    batch: int
    crop: tuple[int, int]
    window: tuple[int, int] | None  # stride of the sliding window, or whole pictures
    distorted: bool  # photometric distortion, and crops of one class refused


SMALL = Recipe(
    'AdamW',
    2e-3,
    0.01,
    None,
    1,
    True,
    100,
    0.01,
    0.9,
    0,
    600,
    4,
    (128, 176),
    None,
    False,
)
CAMVID = SMALL._replace(iterations=3000, batch=8, crop=(160, 224))
CITYSCAPES = Recipe(
    'SGD', 0.01, 5e-4, 0.9, 10, False, 400, 1e-4, 0.9, 0, 40000, 8, (512, 1024),
    (342, 683), False,
)  # fmt: skip
VOC = CITYSCAPES._replace(crop=(512, 512), window=(342, 342))
BASELINE = Recipe(
    'SGD', 0.01, 5e-4, 0.9, 1, True, 0, 1, 0.9, 1e-4, 40000, 8, (512, 1024), None, True
)
ADE20K = VOC._replace(iterations=160000, warm_up=1600)
RECIPES = {
    # folder and length of the run, as the name of a leaf says it
    ('demo', '600'): SMALL,
    ('camvid', '3k'): CAMVID,
    ('camvid', '1k'): CAMVID._replace(iterations=1000),
    ('camvid', '300'): CAMVID._replace(iterations=300, warm_up=50),
    ('cityscapes', '40k'): CITYSCAPES,
    ('cityscapes', 'mmseg40k'): BASELINE,
    ('voc12aug', '40k'): VOC,
    ('voc12aug', 'mmseg40k'): BASELINE._replace(crop=(512, 512), batch=16),
    ('deepglobe', '10k'): VOC._replace(iterations=10000, warm_up=100),
    ('ade20k', '160k'): ADE20K,
}
ADAMW = ADE20K._replace(
    optimizer='AdamW', rate=6e-5, decay=0.01, momentum=None, first=1 / 60, power=1
)
ENCODERS_FOR_ADAMW = ('mit-b2', 'mmpretrain-convnext-t')

CE, JML = 'SoftCrossEntropyLoss', 'JaccardMetricLoss'
BLS = {'type': 'BoundaryLabelSmoothing', 'kernel_size': 3, 'epsilon': 0.5}
LS = {'type': 'LabelSmoothing', 'epsilon': 0.1}
# What stands beside cross-entropy with a weight of 0.75, and the smoothing.
BESIDE_CE = {
    'jml': ({'type': JML}, None),
    'jml-ls': ({'type': JML}, LS),
    'jml-bls': ({'type': JML}, BLS),
    'sjl-bls': ({'type': JML, 'variant': 'sjl_l1'}, BLS),
    'jml2-bls': ({'type': JML, 'variant': 'jml2'}, BLS),
    'dice': ({'type': JML, 'alpha': 0.5, 'beta': 0.5}, None),
    'mmseg-dice': (
        {'type': 'DiceLoss', 'use_sigmoid': False, 'naive_dice': True},
        None,
    ),
    'lovasz': ({'type': 'LovaszLoss', 'reduction': 'none'}, None),
    'tversky': ({'type': 'TverskyLoss', 'alpha': 0.3, 'beta': 0.7}, None),
}
ALONE = {
    'ce': ({'type': CE}, None),
    'ce-bls': ({'type': CE}, BLS),
    'focal': ({'type': 'FocalLoss', 'gamma': 2.0, 'alpha': 0.5}, None),
    'mmseg-ce': ({'type': 'CrossEntropyLoss', 'use_sigmoid': False}, None),
}
# To the label, as without a teacher but for the factor, and to the teacher.
KL = {'type': 'KLDistillationLoss'}
TAUGHT = {
    'ce-kd': ('ce', 0.5, [KL]),
    'jml-kd': ('jml', 0.5, [KL, {'type': JML, 'loss_name': 'loss_jml_kd'}]),
    'kl': ('ce', 1, [KL]),
    'cwd': ('ce', 1, [{'type': 'CWDLoss'}]),
    'dist': ('ce', 1, [{'type': 'DISTLoss'}]),
}
# What the labelled pictures of a semi-supervised leaf are trained with.
LABELLED = {
    'mean-teacher': 'ce',
    'mean-teacher-jml': 'jml',
    'fixmatch-ce': 'ce',
    'fixmatch-jml': 'jml',
    'unimatch-jml': 'jml',
}
BASELINE_AUX = [{'type': 'CrossEntropyLoss', 'use_sigmoid': False, 'loss_weight': 0.4}]


@pytest.fixture(scope='module', params=LEAVES, ids=identity)
def path(request):
    return request.param


@pytest.fixture(scope='module')
def cfg(path):
    return load(path)


@pytest.fixture(scope='module')
def recipe(path):
    name = NAME.fullmatch(path.stem)
    run = (name['baseline'] or '') + name['iters']
    by_hand = RECIPES[path.parent.name, run]
    if name['loss'] in LABELLED:  # as many labelled ones as without the others
        by_hand = by_hand._replace(batch=2 * by_hand.batch)
    if by_hand == ADE20K and name['model'].endswith(ENCODERS_FOR_ADAMW):
        return ADAMW
    return by_hand


def test_the_optimizer_and_its_groups(cfg, recipe):
    wrapper = cfg.optim_wrapper
    optimizer = wrapper.optimizer.to_dict()
    momentum = optimizer.pop('momentum', None)
    assert optimizer == {
        'type': recipe.optimizer,
        'lr': recipe.rate,
        'weight_decay': recipe.decay,
    }
    assert momentum == recipe.momentum
    assert wrapper.type == 'OptimWrapper'
    groups = {k: v for k, v in wrapper.items() if k not in ('type', 'optimizer')}
    keys = {'custom_keys': {'head': {'lr_mult': recipe.head_rate}}}
    if recipe.vectors_decay:
        assert (recipe.head_rate, groups) == (1, {})
    else:
        assert groups == {
            'constructor': 'NoFlatDecayConstructor',
            'paramwise_cfg': keys,
        }


def test_the_learning_rate_over_the_run(cfg, recipe):
    *warm_ups, decay = cfg.param_scheduler
    assert (decay.type, decay.power, decay.eta_min) == (
        'PolyLR',
        recipe.power,
        recipe.last,
    )
    assert (decay.begin, decay.end) == (recipe.warm_up, recipe.iterations)
    assert cfg.train_cfg.max_iters == recipe.iterations
    assert len(warm_ups) == (recipe.warm_up > 0)
    for warm_up in warm_ups:
        assert (warm_up.type, warm_up.begin) == ('LinearLR', 0)
        assert warm_up.start_factor == pytest.approx(recipe.first)


def test_the_batch_and_the_crop(cfg, recipe):
    assert cfg.train_dataloader.batch_size == recipe.batch
    assert tuple(cfg.model.data_preprocessor.size) == recipe.crop
    crops = [each for each in cfg.train_pipeline if each.type == 'RandomCrop']
    assert [tuple(each.crop_size) for each in crops] == [recipe.crop] * len(crops)
    assert len(crops) == (recipe != SMALL)  # synthetic pictures are drawn at that size


def test_the_augmentation(cfg, recipe):
    kinds = {each.type for each in cfg.train_pipeline}
    assert ('PhotoMetricDistortion' in kinds) == recipe.distorted
    for each in cfg.train_pipeline:
        if each.type == 'RandomCrop':
            assert each.get('cat_max_ratio', 1) == (0.75 if recipe.distorted else 1)
        if each.type == 'RandomFlip':
            assert each.prob == 0.5
        if each.type == 'RandomResize' and recipe.head_rate == 10:
            assert tuple(each.ratio_range) == (0.5, 2.0)


def test_what_the_model_sees_at_test(cfg, recipe):
    seen = cfg.model.test_cfg.to_dict()
    if recipe.window is None:
        assert seen == {'mode': 'whole'}
    else:
        assert seen == {
            'mode': 'slide',
            'crop_size': recipe.crop,
            'stride': recipe.window,
        }
        # The authors': two thirds of the crop, rounded up.
        assert recipe.window == tuple(-(-2 * side // 3) for side in recipe.crop)


def parts(loss):
    """The losses of a head in a list, and the smoothing that each of them gets."""
    loss = loss.to_dict()
    smoothing = loss.pop('label_smoothing', None)
    if loss['type'] == 'CompoundLoss':
        assert set(loss) == {'type', 'losses'}
        return loss['losses'], smoothing
    loss.setdefault('loss_weight', 1.0)
    return [loss], smoothing


def test_the_losses_and_their_weights(path, cfg):
    name = NAME.fullmatch(path.stem)
    ours = heads(cfg)
    halved = 2 if 'auxiliary_head' in ours and not name['baseline'] else 1
    loss = LABELLED.get(name['loss'], name['loss'])
    loss, factor, _ = TAUGHT.get(loss, (loss, 1, []))
    if loss in ALONE:
        term, smoothing = ALONE[loss]
        main = [{**term, 'loss_weight': factor / halved}]
        aux = main
    else:
        term, smoothing = BESIDE_CE[loss]
        aux = [{'type': CE, 'loss_weight': 0.25 * factor / halved}]
        main = [*aux, {**term, 'loss_weight': 0.75 * factor}]
    assert parts(ours['decode_head'].loss_decode) == (main, smoothing)
    if name['baseline']:
        aux, smoothing = BASELINE_AUX, None
    if 'auxiliary_head' in ours:
        assert parts(ours['auxiliary_head'].loss_decode) == (aux, smoothing)


def test_the_teacher_and_the_losses_to_it(path, cfg):
    name = NAME.fullmatch(path.stem)
    if name['loss'] not in TAUGHT:
        learnt = name['loss'] in LABELLED
        assert cfg.model.type == ('SemiEncoderDecoder' if learnt else 'EncoderDecoder')
        return
    assert cfg.model.type == 'DistillationEncoderDecoder'
    *_, losses = TAUGHT[name['loss']]
    assert [{**each, 'loss_weight': 1} for each in losses] == [
        {**each.to_dict(), 'loss_weight': 1} for each in cfg.model.distill_losses
    ]
    if name['loss'].endswith('-kd'):  # as much to the teacher as to the label
        to_label, _ = parts(cfg.model.decode_head.loss_decode)
        weights = [each.loss_weight for each in cfg.model.distill_losses]
        assert weights == [each['loss_weight'] for each in to_label]
        if 'auxiliary_head' in cfg.model:
            (kl,) = cfg.model.auxiliary_distill_losses
            (ce,), _ = parts(cfg.model.auxiliary_head.loss_decode)
            assert (kl.type, kl.loss_weight) == (KL['type'], ce['loss_weight'])
    else:
        assert cfg.model.get('auxiliary_distill_losses') is None
    leaf = CONFIGS.parent / cfg.model.teacher
    teacher = load(leaf)
    last = f'work_dirs/{leaf.stem}/iter_{teacher.train_cfg.max_iters}.pth'
    assert cfg.model.teacher_checkpoint == last  # where training the teacher leaves it
    assert '-jml-bls-' in leaf.stem
    assert teacher.model.decode_head.num_classes == cfg.model.decode_head.num_classes
    assert teacher.train_pipeline == cfg.train_pipeline
    assert cfg.model.data_preprocessor == teacher.model.data_preprocessor


def test_the_losses_build(path, cfg):
    if '-focal-' in path.stem and torch.cuda.is_available():
        pytest.importorskip('mmcv.ops', reason='FocalLoss needs compiled operators')
    for head in heads(cfg).values():
        built = MODELS.build(head.loss_decode)
        found = list(built.children()) if isinstance(built, CompoundLoss) else [built]
        assert all('loss' in part.loss_name for part in found)


def test_models_without_an_auxiliary_head_are_known():
    alone = {
        path.stem.split('_1xb')[0] for path in LEAVES if len(heads(load(path))) < 2
    }
    assert alone == {
        'deeplabv3plus_m-v2-w025-d16',
        'deeplabv3plus_m-v2-w05-d16',
        'segformer_mit-b2',
    }


@pytest.mark.parametrize(
    ('model', 'widths', 'encoder'),
    [
        ('deeplabv3_r101-d8', (2048, 512, 1024, 256), ((1, 2, 1, 1), (1, 1, 2, 4))),
        ('deeplabv3_r50-d8', (2048, 512, 1024, 256), ((1, 2, 1, 1), (1, 1, 2, 4))),
        ('deeplabv3_r18-d8', (512, 128, 256, 64), ((1, 2, 1, 1), (1, 1, 2, 4))),
        (
            'deeplabv3_m-v2-d8',
            (320, 128, 96, 64),
            ((1, 2, 2, 1, 1, 1, 1), (1, 1, 1, 2, 2, 4, 4)),
        ),
        ('pspnet_r18-d8', (512, 128, 256, 64), ((1, 2, 1, 1), (1, 1, 2, 4))),
        ('deeplabv3plus_r101-d8', (2048, 512, 1024, 256), ((1, 2, 1, 1), (1, 1, 2, 4))),
    ],
)
def test_the_papers_widths_strides_and_dilations(model, widths, encoder):
    cfg = load(CONFIGS / '_base_' / 'models' / f'{model}.py')
    main, aux = cfg.model.decode_head, cfg.model.auxiliary_head
    assert (main.in_channels, main.channels, aux.in_channels, aux.channels) == widths
    assert (cfg.model.backbone.strides, cfg.model.backbone.dilations) == encoder
    if main.type != 'PSPHead':
        assert main.dilations == (1, 12, 24, 36)
    assert {head.dropout_ratio for head in (main, aux)} == {0.1}
    assert {head.align_corners for head in (main, aux)} == {False}


@pytest.mark.parametrize(
    ('model', 'widths'),
    [('unet_r50', (64, 256)), ('unet_r18', (16, 64)), ('unet_m-v2', (16, 64))],
)
def test_the_papers_unets(model, widths):
    cfg = load(CONFIGS / '_base_' / 'models' / f'{model}.py')
    main, aux = cfg.model.decode_head, cfg.model.auxiliary_head
    assert (main.channels, aux.channels) == widths
    assert main.in_channels[3] == aux.in_channels  # both at stride 16
