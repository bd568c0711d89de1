"""A student learns from a teacher that nobody else sees."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmseg_jml.losses import CompoundLoss, JaccardMetricLoss, KLDistillationLoss
from mmseg_jml.losses.base import compute
from mmseg_jml.losses.batch import read_teacher
from tests.losses.cases import case

CE = dict(type='SoftCrossEntropyLoss', loss_weight=0.125)
JML = dict(type='JaccardMetricLoss', loss_weight=0.375)
KD = [
    dict(type='KLDistillationLoss', loss_weight=0.125),
    dict(JML, loss_name='loss_jml_kd'),
]
PREPROCESSOR = dict(
    type='SegDataPreProcessor', mean=[1.0] * 3, std=[2.0] * 3, size=(32, 48)
)


SIZE = dict(img_shape=(32, 48))


def plain(channels=4, classes=3, **head):
    """A small EncoderDecoder."""
    return dict(
        type='EncoderDecoder',
        data_preprocessor=PREPROCESSOR,
        backbone=dict(
            type='UNet',
            base_channels=channels,
            num_stages=2,
            strides=(1, 1),
            enc_num_convs=(1, 1),
            dec_num_convs=(1,),
            downsamples=(True,),
            enc_dilations=(1, 1),
            dec_dilations=(1,),
            norm_cfg=dict(type='BN'),
        ),
        decode_head=dict(
            type='FCNHead',
            in_channels=channels,
            in_index=-1,
            channels=channels,
            num_convs=1,
            num_classes=classes,
            dropout_ratio=0.0,
            norm_cfg=dict(type='BN'),
            align_corners=False,
            loss_decode=dict(type='CompoundLoss', losses=[CE, JML]),
            **head,
        ),
        test_cfg=dict(mode='whole'),
    )


@pytest.fixture
def checkpoint(tmp_path):
    """The file of a teacher of twice the width."""
    init_default_scope('mmseg')
    torch.manual_seed(1)
    path = tmp_path / 'teacher.pth'
    torch.save(dict(state_dict=MODELS.build(plain(8)).state_dict()), path)
    return str(path)


def student(checkpoint, teacher=None, **more):
    torch.manual_seed(0)
    options = dict(
        plain(),
        type='DistillationEncoderDecoder',
        teacher=plain(8) if teacher is None else teacher,
        teacher_checkpoint=checkpoint,
        distill_losses=KD,
    )
    return MODELS.build({**options, **more})


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, 3, 32, 48, generator=generator)
    labels = torch.randint(0, 3, (2, 1, 32, 48), generator=generator)
    labels[:, :, :4] = 255
    return images, [SegDataSample(gt_sem_seg=PixelData(data=each)) for each in labels]


def train(model, steps=3):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for seed in range(steps):
        losses = model.loss(*batch(seed))
        optimizer.zero_grad()
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        optimizer.step()
    return losses


def test_every_term_is_logged_by_its_name(checkpoint):
    names = {'decode.loss_ce', 'decode.loss_jml', 'decode.loss_kl'}
    assert names | {'decode.loss_jml_kd'} <= set(train(student(checkpoint), 1))


def test_the_checkpoint_is_a_plain_one_of_the_student(checkpoint):
    model = student(checkpoint)
    train(model)
    alone = MODELS.build(plain())
    assert list(model.state_dict()) == list(alone.state_dict())
    alone.load_state_dict(model.state_dict())
    images, _ = batch()
    assert_close(
        *(each.eval().encode_decode(images, [SIZE]) for each in (alone, model))
    )


def test_the_teacher_stays_as_it_is_loaded(checkpoint):
    model = student(checkpoint)
    train(model.train())
    teacher = model.teacher.model
    assert not teacher.training
    expected = torch.load(checkpoint, weights_only=True)['state_dict']
    assert_close(dict(teacher.state_dict()), dict(expected))


def test_the_teacher_is_evaluated_once_a_step(checkpoint):
    model = student(checkpoint)
    calls = []
    model.teacher.build(model).backbone.register_forward_hook(
        lambda *_: calls.append(1)
    )
    train(model, 2)
    assert len(calls) == 2


def test_a_copy_learns_from_the_same_teacher(checkpoint):
    model = student(checkpoint)
    train(model, 1)
    other = copy.deepcopy(model)
    assert_close(other.loss(*batch(5)), model.loss(*batch(5)))


def test_only_training_needs_the_teachers_files():
    model = student('nowhere.pth', teacher='nowhere.py').eval()
    assert model.encode_decode(batch()[0], [SIZE]).shape[1] == 3


def test_a_missing_checkpoint_is_named():
    with pytest.raises(FileNotFoundError, match=r'`teacher_checkpoint`.*nowhere\.pth'):
        student('nowhere.pth').loss(*batch())


def test_another_architecture_is_refused_by_its_keys(checkpoint):
    with pytest.raises(ValueError, match=r'is not of the model of `teacher`.*shape'):
        student(checkpoint, teacher=plain(6)).loss(*batch())


def test_other_classes_are_refused(checkpoint):
    with pytest.raises(
        ValueError, match=r"student's 3 classes \(out_channels\), got 5"
    ):
        student(checkpoint, teacher=plain(8, classes=5)).loss(*batch())


def test_another_normalisation_is_refused(checkpoint):
    other = dict(plain(8), data_preprocessor=dict(PREPROCESSOR, mean=[9.0] * 3))
    with pytest.raises(ValueError, match='must normalize pictures'):
        student(checkpoint, teacher=other).loss(*batch())


@pytest.mark.parametrize('temperature', [1.0, 4.0])
@pytest.mark.parametrize('loss', [JaccardMetricLoss, KLDistillationLoss])
def test_a_student_that_equals_its_teacher_loses_nothing(loss, temperature):
    logits, label = case()
    part = loss(temperature=temperature)
    read = read_teacher(
        logits, logits.detach(), label, None, ignore_index=255, use_sigmoid=False
    )
    (value,) = compute([part], [read])
    (grad,) = torch.autograd.grad(value, logits)
    assert abs(value.item()) < 1e-10
    assert grad.abs().max() < 1e-10


def test_kl_is_torchs_over_the_valid_pixels_times_the_squared_temperature():
    logits, label = case()
    teacher = case(seed=9)[0].detach()
    compound = CompoundLoss(
        losses=[CE], distill_losses=[dict(type='KLDistillationLoss', temperature=2.0)]
    )
    with compound.taught_by(teacher):
        _, value = compound.compute_all(logits, label)
    terms = F.kl_div(
        (logits / 2).log_softmax(1), (teacher / 2).softmax(1), reduction='none'
    ).sum(1)
    assert_close(value, 4 * terms[label != 255].mean())


def test_label_and_teacher_share_one_read_of_the_logits(monkeypatch):
    from mmseg_jml.losses import base

    passes = []
    original = base.class_sums
    monkeypatch.setattr(
        base, 'class_sums', lambda *a, **k: passes.append(a[0]) or original(*a, **k)
    )
    logits, label = case()
    compound = CompoundLoss(losses=[CE, JML], distill_losses=KD)
    with compound.taught_by(case(seed=9)[0].detach()):
        compound.compute_all(logits, label)
    assert sum(each is logits for each in passes) == 1
