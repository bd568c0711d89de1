"""The heads of MMSegmentation that override how losses are called, one by one."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmseg.models.decode_heads import point_head as point_module

from tests.losses.heads import (
    CE,
    CHANNELS,
    COMMON,
    JML,
    JML_BLS,
    NUM_CLASSES,
    build,
    features,
    labels,
    samples,
)

LAST = dict(in_channels=CHANNELS[-1], in_index=3)


def train_once(head, inputs, label=None, **extra):
    """One step; returns what the head logs, after checking the gradient."""
    label = labels() if label is None else label
    losses = head.loss(
        inputs, batch_data_samples=samples(label), train_cfg=ConfigDict(), **extra
    )
    terms = {k: v for k, v in losses.items() if 'loss' in k}
    sum(terms.values()).backward()
    grads = [p.grad for p in head.parameters() if p.grad is not None]
    assert grads
    assert all(g.isfinite().all() for g in grads)
    assert any(g.abs().sum() > 0 for g in grads)
    return terms


def test_da_head_calls_the_losses_on_its_three_outputs():
    head = build(type='DAHead', pam_channels=4, **LAST, **COMMON, loss_decode=JML_BLS)
    terms = train_once(head, features())
    parts = ('pam_cam', 'pam', 'cam')
    names = ('loss_ce', 'loss_jml')
    assert set(terms) == {f'{part}.{name}' for part in parts for name in names}


def test_ddr_head_trains_with_a_list_of_two_losses():
    head = build(type='DDRHead', in_channels=8, **COMMON, loss_decode=[JML_BLS, CE])
    inputs = (torch.randn(2, 4, 16, 16), torch.randn(2, 8, 16, 16))
    assert set(train_once(head, inputs)) == {'loss_context', 'loss_spatial'}


def test_enc_head_trains_beside_its_semantic_encoding_loss():
    se = dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=0.2)
    head = build(
        type='EncHead',
        num_codes=4,
        loss_se_decode=se,
        in_channels=[CHANNELS[-1]],
        in_index=[3],
        **COMMON,
        loss_decode=JML_BLS,
    )
    assert {'loss_ce', 'loss_jml', 'loss_se'} <= set(train_once(head, features()))


def test_pid_head_trains_with_its_boundary_loss_kept():
    boundary = dict(type='BoundaryLoss', loss_weight=20.0)
    head = build(
        type='PIDHead',
        in_channels=8,
        **COMMON,
        loss_decode=[CE, JML_BLS, boundary, JML],
    )
    inputs = (
        torch.randn(2, 4, 16, 16),
        torch.randn(2, 8, 16, 16),
        torch.randn(2, 4, 16, 16),
    )
    terms = train_once(head, inputs)
    assert set(terms) == {'loss_sem_p', 'loss_sem_i', 'loss_bd', 'loss_sem_bd'}


def point_head(loss_decode):
    common = {k: v for k, v in COMMON.items() if k != 'norm_cfg'}
    return build(
        type='PointHead',
        in_channels=[CHANNELS[0]],
        in_index=[0],
        num_fcs=1,
        coarse_pred_each_layer=True,
        **common,
        loss_decode=loss_decode,
    )


@pytest.fixture
def point_sample(monkeypatch):
    """What mmcv's op of that name computes: builds without compiled ops lack it."""

    def sample(maps, points, align_corners=False, mode='bilinear', **_):
        grid = points.unsqueeze(2) * 2 - 1
        sampled = F.grid_sample(maps, grid, mode=mode, align_corners=align_corners)
        return sampled.squeeze(3)

    monkeypatch.setattr(point_module, 'point_sample', sample)


POINTS = ConfigDict(num_points=64, oversample_ratio=3, importance_sample_ratio=0.75)


def point_loss(head):
    coarse = torch.randn(2, NUM_CLASSES, 16, 16)
    return head.loss(features(), coarse, samples(labels()), POINTS)


@pytest.mark.usefixtures('point_sample')
def test_point_head_trains_on_points():
    smoothed = dict(
        type='CompoundLoss',
        losses=[CE, JML],
        label_smoothing=dict(type='LabelSmoothing'),
    )
    head = point_head(smoothed)
    losses = point_loss(head)
    (losses['pointloss_ce'] + losses['pointloss_jml']).backward()
    assert head.fc_seg.weight.grad.abs().sum() > 0


@pytest.mark.usefixtures('point_sample')
def test_points_have_no_boundary():
    with pytest.raises(ValueError, match='use `LabelSmoothing`'):
        point_loss(point_head(JML_BLS))


def test_stdc_head_trains_on_its_own_two_classes():
    head = build(
        type='STDCHead',
        boundary_threshold=0.1,
        num_convs=1,
        **LAST,
        **dict(COMMON, num_classes=2),
        loss_decode=[CE, JML],
    )
    assert set(train_once(head, features())) == {'loss_ce', 'loss_jml'}


def test_a_set_prediction_heads_call_is_refused_by_a_sentence():
    loss = build(**JML)
    logits, label = torch.randn(2, 3, 4, 4), torch.zeros(2, 4, 4).long()
    with pytest.raises(ValueError, match='Set-prediction heads'):
        loss(logits, label, avg_factor=3.0)
