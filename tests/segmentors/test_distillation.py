"""Segmentors with a teacher: what they learn, what they keep, what they refuse."""

import copy
import pickle

import pytest
import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config
from mmengine.model import convert_sync_batchnorm
from mmengine.optim import OptimWrapper
from torch.testing import assert_close

from mmseg_jml.losses import JaccardMetricLoss, KLDistillationLoss
from mmseg_jml.segmentors.teacher import model_config
from tests.losses.heads import COMMON
from tests.segmentors.distilled import (
    KL,
    SIZE,
    auxiliary_head,
    batch,
    build,
    plain_config,
    student_config,
    teacher_config,
    total,
    write_teacher,
)

# The teacher's logits are half as large as the label, aligned at the corners.
pytestmark = pytest.mark.filterwarnings('ignore:When align_corners=True:UserWarning')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return write_teacher(tmp_path_factory.mktemp('teacher'))


@pytest.fixture
def student(checkpoint):
    return build(student_config(checkpoint)).train()


def teachers_logits(checkpoint, inputs, cfg=None):
    """What a teacher that is loaded and run by hand says of the inputs."""
    teacher = build(teacher_config() if cfg is None else cfg)
    state = torch.load(checkpoint, weights_only=False)['state_dict']
    teacher.load_state_dict(state)
    teacher.eval()
    small = teacher.decode_head(teacher.extract_feat(inputs))
    assert small.shape[2:] != SIZE
    return torch.nn.functional.interpolate(
        small, SIZE, mode='bilinear', align_corners=teacher.align_corners
    ).detach()


def test_the_head_learns_from_label_and_teacher(student, checkpoint):
    inputs, samples = batch()
    losses = student.loss(inputs, samples)
    plain = build(plain_config()).train()
    features = plain.extract_feat(inputs)
    logits = plain.decode_head(features)
    target = teachers_logits(checkpoint, inputs)
    label = torch.stack([sample.gt_sem_seg.data[0] for sample in samples])
    weight = (label != 255).float()
    assert_close(losses['decode.loss_jml'], JaccardMetricLoss()(logits, label))
    kl = KLDistillationLoss()(logits, target, weight=weight)
    jml = JaccardMetricLoss()(logits, target.softmax(1), weight=weight)
    assert_close(losses['decode.loss_kl'], kl)
    assert_close(losses['decode.loss_jml_kd'], jml)


def test_every_auxiliary_head_learns_from_the_teachers_main_head(checkpoint):
    """A head that is the main one's twin has the main one's losses."""
    heads = [auxiliary_head(), auxiliary_head()]
    cfg = student_config(checkpoint, auxiliary_head=heads, auxiliary_distill_losses=KL)
    model = build(cfg).train()
    for head in model.auxiliary_head:
        head.load_state_dict(model.decode_head.state_dict())
    losses = model.loss(*batch())
    for aux in ('aux_0', 'aux_1'):
        assert_close(losses[f'{aux}.loss_kl'], losses['decode.loss_kl'])
        assert f'{aux}.loss_jml_kd' not in losses


def test_auxiliary_heads_may_learn_from_the_label_alone(checkpoint):
    cfg = student_config(checkpoint, auxiliary_head=auxiliary_head())
    losses = build(cfg).train().loss(*batch())
    assert {'aux.loss_jml', 'aux.acc_seg'} == {k for k in losses if 'aux' in k}


def test_in_a_cascade_the_last_stage_gets_the_main_losses(checkpoint):
    head = dict(in_channels=4, in_index=-1, **{**COMMON, 'num_classes': 4})
    loss = dict(type='JaccardMetricLoss')
    heads = [
        dict(type='FCNHead', num_convs=1, loss_decode=loss, **head),
        dict(type='OCRHead', ocr_channels=4, loss_decode=loss, **head),
    ]
    cfg = student_config(
        checkpoint,
        type='DistillationCascadeEncoderDecoder',
        num_stages=2,
        decode_head=heads,
        auxiliary_distill_losses=[KL],
    )
    losses = build(cfg).train().loss(*batch())
    names = {key for key in losses if 'loss' in key}
    assert names == {
        'decode_0.loss_jml',
        'decode_0.loss_kl',
        'decode_1.loss_jml',
        'decode_1.loss_kl',
        'decode_1.loss_jml_kd',
    }
    total(losses).backward()


def test_a_cascade_can_teach(tmp_path):
    head = dict(in_channels=4, in_index=-1, **{**COMMON, 'num_classes': 4})
    cfg = plain_config()
    cfg.update(
        type='CascadeEncoderDecoder',
        num_stages=2,
        decode_head=[
            dict(type='FCNHead', num_convs=1, **head),
            dict(type='OCRHead', ocr_channels=4, **head),
        ],
    )
    path = write_cascade(tmp_path, cfg)
    losses = build(student_config(path, teacher=cfg)).train().loss(*batch())
    assert losses['decode.loss_kl'] > 0


def write_cascade(folder, cfg):
    path = folder / 'cascade.pth'
    torch.save({'state_dict': build(cfg).state_dict()}, path)
    return path


def test_the_teacher_sees_a_batch_once(checkpoint, monkeypatch):
    cfg = student_config(
        checkpoint,
        auxiliary_head=[auxiliary_head(), auxiliary_head()],
        auxiliary_distill_losses=KL,
    )
    model = build(cfg).train()
    model.init_weights()
    seen = []
    backbone = model.teacher.model.backbone
    backbone.register_forward_hook(lambda *_: seen.append(1))
    total(model.loss(*batch())).backward()
    assert len(seen) == 1


def test_training_leaves_the_teachers_weights_and_statistics_alone(student):
    student.init_weights()
    before = copy.deepcopy(student.teacher.model.state_dict())
    optim = OptimWrapper(torch.optim.SGD(student.parameters(), lr=0.1))
    for seed in range(3):
        student.train()
        optim.update_params(total(student.loss(*batch(seed=seed))))
    after = student.teacher.model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not student.teacher.model.training
    assert all(p.grad is None for p in student.teacher.model.parameters())


def test_the_student_is_initialized_as_it_is_alone(student):
    plain = build(plain_config())
    random = []
    for model in (plain, student):
        torch.manual_seed(3)
        model.init_weights()
        random.append(torch.get_rng_state())
    expected = plain.state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in student.state_dict().items())
    assert torch.equal(*random)  # what follows is drawn alike, too


def test_the_teacher_is_in_nothing_that_walks_over_the_modules(student):
    plain = build(plain_config())
    student.loss(*batch())
    assert student.state_dict().keys() == plain.state_dict().keys()
    numbers = [sum(p.numel() for p in m.parameters()) for m in (plain, student)]
    assert numbers[0] == numbers[1]
    assert student.teacher.model not in set(student.modules())
    convert_sync_batchnorm(student)
    kinds = {type(module).__name__ for module in student.teacher.model.modules()}
    assert 'BatchNorm2d' in kinds
    assert 'SyncBatchNorm' not in kinds


def test_flops_are_the_students(student):
    student.loss(*batch())
    flops = [
        get_model_complexity_info(model.eval(), (3, *SIZE), show_table=False)['flops']
        for model in (build(plain_config()), student)
    ]
    assert flops[0] == flops[1]


def test_testing_needs_no_file_of_the_teacher():
    cfg = student_config('nowhere.pth', teacher='nowhere.py')
    model = build(cfg).eval()
    plain = build(plain_config()).eval()
    model.load_state_dict(plain.state_dict())
    inputs, _ = batch()
    with torch.no_grad():
        for mode in ('tensor', 'predict'):
            ours, theirs = (m(inputs, mode=mode) for m in (model, plain))
            if mode == 'predict':
                ours, theirs = (x[0].seg_logits.data for x in (ours, theirs))
            assert torch.equal(ours, theirs)


def test_a_copy_shares_the_teacher_and_a_pickle_leaves_it_out(student):
    expected = student.loss(*batch())
    shared = copy.deepcopy(student)
    assert shared.teacher.model is student.teacher.model
    pickled = pickle.loads(pickle.dumps(student))
    assert pickled.teacher.model is None
    for other in (shared, pickled):
        assert_close(other.loss(*batch()), expected)


def test_a_copy_has_losses_of_its_own(student):
    student.loss(*batch())
    twin = copy.deepcopy(student)
    assert twin.decode_head.loss_decode is not student.decode_head.loss_decode
    total(twin.loss(*batch())).backward()
    assert all(p.grad is None for p in student.parameters())


def test_the_teacher_follows_the_type_of_the_pictures(student):
    inputs, samples = batch()
    single = student.loss(inputs, samples)
    double = student.double().loss(inputs.double(), samples)
    for key in ('decode.loss_kl', 'decode.loss_jml_kd'):
        assert_close(double[key].float(), single[key], rtol=1e-4, atol=1e-5)


def test_it_trains_in_mixed_precision(student):
    inputs, samples = batch()
    expected = student.loss(inputs, samples)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = student.loss(inputs, samples)
    total(losses).backward()
    for key in ('decode.loss_kl', 'decode.loss_jml_kd'):
        assert losses[key].dtype == torch.float32
        assert_close(losses[key], expected[key], rtol=0.05, atol=0.02)
    grads = [p.grad for p in student.parameters() if p.grad is not None]
    assert grads
    assert all(grad.isfinite().all() for grad in grads)


def test_a_teacher_that_tests_by_windows_sees_the_whole_crop(checkpoint):
    inputs, samples = batch()
    slide = dict(mode='slide', crop_size=(16, 16), stride=(10, 10))
    losses = []
    for test_cfg in (slide, dict(mode='whole')):
        teacher = teacher_config()
        teacher.test_cfg = test_cfg
        model = build(student_config(checkpoint, teacher=teacher)).train()
        losses.append(model.loss(inputs, samples))
    assert_close(*losses)


def test_a_calibrated_teacher_teaches_what_it_would_predict(checkpoint):
    inputs, samples = batch()
    teacher = teacher_config()
    teacher.update(type='CalibratedEncoderDecoder', scaling=dict(temperature=3.0))
    model = build(student_config(checkpoint, teacher=teacher)).train()
    model.loss(inputs, samples)
    found = model.teacher.logits(model, inputs, SIZE)
    assert_close(found, teachers_logits(checkpoint, inputs) / 3)


OTHERWISE = {
    'mean and deviation': dict(mean=[100.0, 110.0, 120.0], std=[50.0, 60.0, 70.0]),
    'order of channels': dict(bgr_to_rgb=True, mean=[1.0, 2.0, 3.0], std=[4.0] * 3),
    'none': dict(mean=None, std=None),
}


@pytest.mark.parametrize('changes', OTHERWISE.values(), ids=OTHERWISE)
def test_a_teacher_that_normalizes_otherwise_sees_pictures_its_way(checkpoint, changes):
    cfg = teacher_config()
    cfg.data_preprocessor.update(changes)
    model = build(student_config(checkpoint, teacher=cfg)).train()
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, 3, *SIZE), generator=generator)
    data = dict(inputs=list(pictures.byte()), data_samples=batch()[1])
    students, teachers = (
        each.data_preprocessor(copy.deepcopy(data), True)['inputs']
        for each in (model, build(cfg))
    )
    assert not torch.equal(students, teachers)
    found = model.teacher.logits(model, students, SIZE)
    assert_close(found, teachers_logits(checkpoint, teachers), rtol=1e-4, atol=1e-4)


def test_nothing_is_fetched_or_initialized_for_the_teacher(checkpoint):
    cfg = teacher_config()
    cfg.pretrained = 'open-mmlab://nothing_of_this_name'
    cfg.decode_head.init_cfg = dict(type='Pretrained', checkpoint='nowhere.pth')
    model = build(student_config(checkpoint, teacher=cfg))
    model.init_weights()
    assert cfg.pretrained  # the config itself stays as it is
    given = torch.load(checkpoint, weights_only=False)['state_dict']
    own = model.teacher.model.state_dict()
    assert all(torch.equal(own[key], given[key]) for key in own)


def test_a_distilled_student_can_teach(checkpoint, tmp_path):
    first = student_config(checkpoint)
    path = tmp_path / 'first.pth'
    torch.save(build(first).state_dict(), path)  # bare weights will do
    twin = build(student_config(path, teacher=first)).eval()
    assert abs(twin.loss(*batch())['decode.loss_kl']) < 1e-6


def test_a_teacher_with_synchronized_statistics_teaches(checkpoint):
    cfg = teacher_config(norm_cfg=dict(type='SyncBN'))
    cfg.backbone.norm_cfg = dict(type='SyncBN')
    plain, synced = (
        build(student_config(checkpoint, teacher=each)).train().loss(*batch())
        for each in (teacher_config(), cfg)
    )
    assert_close(plain, synced)


def test_the_teacher_may_be_the_path_of_a_config(checkpoint, tmp_path, monkeypatch):
    Config({'model': teacher_config()}).dump(tmp_path / 'mine.py')
    monkeypatch.chdir(tmp_path)
    model = build(student_config(checkpoint, teacher='mine.py')).train()
    expected = build(student_config(checkpoint)).train().loss(*batch())
    assert_close(model.loss(*batch()), expected)


def test_a_shipped_config_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    leaf = 'configs/jml/voc12aug/deeplabv3_r50-d8_1xb8-jml-bls-40k_voc12aug-512x512.py'
    cfg = model_config(leaf)
    assert cfg['backbone']['depth'] == 50
    assert cfg['pretrained'] is None
    assert cfg['test_cfg']['mode'] == 'whole'
