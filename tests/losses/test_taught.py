"""TaughtLoss: a head's losses against label and teacher."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from mmseg.registry import MODELS
from torch.testing import assert_close

from mmseg_jml.losses import CompoundLoss, TaughtLoss, base
from tests.losses.cases import case
from tests.losses.test_compound import as_a_head

CE = dict(type='SoftCrossEntropyLoss', loss_weight=0.25)
JML = dict(type='JaccardMetricLoss', loss_weight=0.75)
BLS = dict(type='BoundaryLabelSmoothing')
KL = dict(type='KLDistillationLoss')
JML_KD = dict(type='JaccardMetricLoss', loss_name='loss_jml_kd')
CE_KD = dict(type='SoftCrossEntropyLoss', loss_name='loss_ce_kd')
CWD = dict(type='CWDLoss')
DIST = dict(type='DISTLoss')
OF_TEACHER = [KL, JML_KD, CE_KD, CWD, DIST]
every = pytest.mark.parametrize('config', OF_TEACHER, ids=lambda c: c['type'])


def taught(of_teacher, of_label=(CE, JML), **more):
    return TaughtLoss(CompoundLoss(losses=list(of_label), **more), of_teacher)


def teacher_of(logits, seed=5):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(logits.shape, generator=generator, dtype=torch.float64)
    return noise.to(logits)


def step(loss, logits, label, teacher):
    with loss.taught_by(teacher):
        return as_a_head(loss, logits, label)


def alone(config, logits, label, teacher):
    """A loss of the teacher called for itself, without the ignored pixels."""
    loss = MODELS.build(config)
    of_probs = config['type'] in ('JaccardMetricLoss', 'SoftCrossEntropyLoss')
    target = teacher.softmax(1) if of_probs else teacher
    return loss(logits, target, weight=(label != 255).to(logits))


@every
def test_each_loss_of_the_teacher_is_what_it_is_alone(config):
    logits, label = case()
    teacher = teacher_of(logits)
    logged = step(taught([config]), logits, label, teacher)
    assert set(logged) == {'loss_ce', 'loss_jml', MODELS.build(config).loss_name}
    found = logged[MODELS.build(config).loss_name]
    expected = alone(config, logits, label, teacher)
    assert_close(found, expected)
    gradients = [
        torch.autograd.grad(value, logits, retain_graph=True)[0]
        for value in (found, expected)
    ]
    assert_close(*gradients)


def test_the_losses_of_the_label_are_what_they_are_without_a_teacher():
    logits, label = case()
    logged = step(taught(OF_TEACHER, label_smoothing=BLS), logits, label, logits + 1)
    plain = as_a_head(
        CompoundLoss(losses=[CE, JML], label_smoothing=BLS), logits, label
    )
    assert_close({name: logged[name] for name in plain}, plain)


def test_label_and_teacher_take_one_read_of_the_logits(monkeypatch):
    logits, label = case()
    read = []
    original = base.class_sums

    def counted(logits, targets, *args, **kwargs):
        read.append(len(targets))
        return original(logits, targets, *args, **kwargs)

    monkeypatch.setattr(base, 'class_sums', counted)
    step(taught([KL, JML_KD], label_smoothing=BLS), logits, label, teacher_of(logits))
    assert read == [2]  # the smoothed label and the teacher


@pytest.mark.parametrize('temperature', [0.5, 1.0, 4.0])
@pytest.mark.parametrize('config', [KL, JML_KD, CWD, DIST], ids=lambda c: c['type'])
def test_at_the_teacher_the_loss_is_zero_at_any_temperature(config, temperature):
    logits, label = case()
    loss = taught([dict(config, temperature=temperature)])
    *_, found = step(loss, logits, label, logits.detach()).values()
    (gradient,) = torch.autograd.grad(found, logits)
    assert abs(found.item()) < 1e-12
    assert gradient.abs().max() < 1e-12


def test_of_another_temperature_both_sides_are_softened():
    logits, label = case()
    teacher = teacher_of(logits)
    soft = dict(JML_KD, temperature=3.0)
    found = step(taught([soft]), logits, label, teacher)['loss_jml_kd']
    expected = alone(JML_KD, logits / 3, label, teacher / 3)
    assert_close(found, expected)


def test_kl_is_multiplied_by_the_square_of_the_temperature():
    logits, label = case()
    teacher = teacher_of(logits)
    found = step(taught([dict(KL, temperature=3.0)]), logits, label, teacher)
    assert_close(found['loss_kl'], 9 * alone(KL, logits / 3, label, teacher / 3))


def one_hot_smoothing(label, num_classes, ignore_index):
    """A transform without a map of epsilon: the label's losses get another weight."""
    hard = label.where(label != ignore_index, 0)
    return torch.nn.functional.one_hot(hard, num_classes).movedim(-1, 1).double()


@every
@pytest.mark.parametrize('smoothing', [None, BLS, one_hot_smoothing])
def test_where_the_label_is_ignored_the_teacher_says_nothing(config, smoothing):
    logits, label = case()
    teacher = teacher_of(logits)
    ignored = (label == 255).unsqueeze(1)
    noisy = [each.detach().where(~ignored, 30.0) for each in (logits, teacher)]
    noisy[1] = noisy[1].where(~ignored, -20.0)
    noisy[0].requires_grad_()
    results = []
    for student, of_teacher in ((logits, teacher), noisy):
        loss = taught([config], label_smoothing=smoothing)
        *_, value = step(loss, student, label, of_teacher).values()
        results.append((value, *torch.autograd.grad(value, student)))
    assert_close(results[0], results[1])


@every
def test_a_samplers_weight_leaves_pixels_out(config):
    logits, label = case()
    teacher = teacher_of(logits)
    weight = torch.ones_like(label, dtype=torch.float64)
    weight[:, :, ::2] = 0
    loss = taught([config])
    with loss.taught_by(teacher):
        found = [part(logits, label, weight, 255) for part in loss][-1]
    left = label.where(weight > 0, 255)
    *_, expected = step(taught([config]), logits, left, teacher).values()
    assert_close(found, expected)


@every
def test_an_ignored_batch_gives_a_zero_on_the_graph(config):
    logits, label = case()
    nothing = torch.full_like(label, 255)
    *_, value = step(taught([config]), logits, nothing, teacher_of(logits)).values()
    (gradient,) = torch.autograd.grad(value, logits)
    assert value == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize('config', [KL, JML_KD, CE_KD], ids=lambda c: c['type'])
def test_a_binary_head_can_be_taught(config):
    logits, label = case(c=1)
    of_label, of_teacher = (dict(each, use_sigmoid=True) for each in (JML, config))
    loss = taught([of_teacher], [of_label])
    teacher = teacher_of(logits)
    *_, found = step(loss, logits, label, teacher).values()
    target = teacher if config is KL else teacher.sigmoid()
    weight = (label != 255).double()
    assert_close(found, MODELS.build(of_teacher)(logits, target, weight=weight))


def test_heads_without_a_list_of_losses_are_taught_too():
    logits, label = case()
    loss = TaughtLoss(MODELS.build(CE), [KL])
    assert set(step(loss, logits, label, teacher_of(logits))) == {'loss_ce', 'loss_kl'}


def test_losses_of_mmsegmentation_stay_beside_the_teacher():
    logits, label = case(dtype=torch.float32)
    theirs = dict(type='CrossEntropyLoss', loss_name='loss_theirs')
    logged = step(taught([KL], [theirs]), logits, label, teacher_of(logits))
    expected = MODELS.build(theirs)(logits, label, ignore_index=255)
    assert_close(logged['loss_theirs'], expected)


def test_a_part_called_out_of_turn_still_learns_from_the_teacher():
    logits, label = case()
    teacher = teacher_of(logits)
    loss = taught([KL])
    with loss.taught_by(teacher):
        *_, part = loss
        first, again = (part(logits, label, ignore_index=255) for _ in range(2))
    assert_close(again, first)


def test_nothing_outlives_the_step():
    logits, label = case()
    teacher = teacher_of(logits)
    loss = taught(OF_TEACHER)
    step(loss, logits, label, teacher)
    reference = weakref.ref(teacher)
    del teacher
    gc.collect()
    assert reference() is None


def test_the_losses_add_nothing_to_a_checkpoint():
    assert not taught(OF_TEACHER).state_dict()


def test_without_a_teacher_it_says_where_one_is():
    with pytest.raises(RuntimeError, match='no teacher outside of the `loss`'):
        as_a_head(taught([KL]), *case())


def test_a_head_that_never_asks_is_told():
    loss = taught([KL])
    with (
        pytest.raises(RuntimeError, match=r'DDRHead, PIDHead.* cannot be distilled'),
        loss.taught_by(torch.zeros(1)),
    ):
        pass


@every
def test_a_teacher_of_another_shape_is_refused(config):
    logits, label = case()
    with pytest.raises(ValueError, match=r"shape of the student's, .* got"):
        step(taught([config]), logits, label, teacher_of(logits)[..., :-1])


@every
def test_a_teacher_that_is_no_logits_is_refused(config):
    logits, label = case()
    with pytest.raises(TypeError, match='`teacher_logits` must be floating'):
        step(taught([config]), logits, label, teacher_of(logits).long())


@pytest.mark.parametrize(
    ('config', 'error', 'words'),
    [
        (dict(type='CrossEntropyLoss'), TypeError, 'leave ignored pixels out .* got'),
        (dict(JML, label_smoothing=BLS), ValueError, 'a teacher is no hard label'),
        (dict(KL, temperature=0), ValueError, '`temperature` must be'),
        (dict(CWD, temperature=-1), ValueError, '`temperature` must be'),
        (dict(DIST, beta=-1), ValueError, '`beta` must be'),
        (dict(DIST, gamma='1'), TypeError, '`gamma` must be a number'),
        (dict(CWD, loss_weight=-3), ValueError, '`loss_weight` must be'),
        (dict(CWD, loss_name='cwd'), ValueError, "must contain 'loss'"),
    ],
)
def test_what_cannot_teach_is_refused(config, error, words):
    with pytest.raises(error, match=words):
        taught([config])


def test_kl_against_a_label_is_refused():
    with pytest.raises(ValueError, match='it belongs into `distill_losses`'):
        CompoundLoss(losses=[KL])(*case())


def test_a_weight_of_another_shape_is_refused():
    logits, _ = case()
    with pytest.raises(ValueError, match='`weight` must be'):
        MODELS.build(CWD)(logits, logits.detach(), weight=torch.ones(1))


def test_a_correlation_over_one_class_is_refused():
    logits, label = case(c=1)
    loss = taught([DIST], [dict(JML, use_sigmoid=True)])
    with pytest.raises(ValueError, match='at least 2 channels: DISTLoss'):
        step(loss, logits, label, teacher_of(logits))


@pytest.mark.parametrize(
    ('given', 'found'),
    [
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
@every
def test_the_loss_has_the_type_of_the_logits_and_float32_at_least(config, given, found):
    logits, label = case()
    logits = logits.detach().to(given).requires_grad_()
    *_, value = step(taught([config]), logits, label, logits.detach()).values()
    assert value.dtype == found


@every
def test_autocast_does_not_lower_the_precision(config):
    logits, label = case(dtype=torch.float32)
    teacher = teacher_of(logits)

    def value_and_gradient():
        *_, value = step(taught([config]), logits, label, teacher).values()
        return value, *torch.autograd.grad(value, logits)

    expected = value_and_gradient()
    with torch.autocast('cpu', torch.bfloat16):
        found = value_and_gradient()
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_a_weight_that_a_hook_sets_on_a_part_is_used():
    logits, label = case()
    loss = taught(OF_TEACHER)
    for part in loss:
        part.loss_weight = 0
    logged = step(loss, logits, label, teacher_of(logits))
    assert list(logged.values()) == [0] * 7


def test_the_parts_are_the_losses_themselves():
    loss = taught([KL, CWD])
    assert [part is loss[i] for i, part in enumerate(loss)] == [True] * 4
    names = ['SoftCrossEntropyLoss', 'JaccardMetricLoss', 'KLDistillationLoss']
    assert [type(part).__name__ for part in loss] == [*names, 'CWDLoss']


@every
def test_a_part_taken_by_index_within_a_step_learns_from_the_teacher(config):
    logits, label = case()
    teacher = teacher_of(logits)
    loss = taught([config])
    with loss.taught_by(teacher):
        found = loss[2](logits, label, weight=None, ignore_index=255)
    assert_close(found, alone(config, logits, label, teacher))


def test_a_loss_that_is_added_is_one_against_the_label():
    logits, label = case()
    loss = taught([KL])
    loss.append(MODELS.build(dict(CE, loss_name='loss_more')))
    logged = step(loss, logits, label, teacher_of(logits))
    assert_close(logged['loss_more'], logged['loss_ce'])


def test_a_slice_keeps_the_teachers_losses_with_the_teacher():
    logits, label = case()
    teacher = teacher_of(logits)
    loss = taught([KL, JML_KD])
    logged = step(loss, logits, label, teacher)
    assert_close(
        step(loss[1:], logits, label, teacher),
        {name: value for name, value in logged.items() if name != 'loss_ce'},
    )


def test_a_loss_against_the_teacher_cannot_be_replaced():
    loss = taught([KL])
    with pytest.raises(ValueError, match=r'give the loss .* in `distill_losses`'):
        loss[2] = MODELS.build(CE)


@pytest.mark.parametrize(
    'copied', [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_computes_what_the_loss_computes(copied):
    logits, label = case()
    teacher = teacher_of(logits)
    loss = taught(OF_TEACHER, label_smoothing=BLS)
    assert_close(
        step(copied(loss), logits, label, teacher), step(loss, logits, label, teacher)
    )


def test_after_a_step_a_part_is_a_loss_like_any_other():
    logits, label = case()
    loss = taught([JML_KD])
    step(loss, logits, label, teacher_of(logits))
    assert_close(loss[2](logits, label), MODELS.build(JML_KD)(logits, label))


def test_a_loss_that_is_kept_after_backward_keeps_neither_label_nor_teacher():
    logits, label = case()
    teacher = torch.randn(logits.shape, dtype=logits.dtype)
    loss = TaughtLoss(
        MODELS.build(dict(type='SoftCrossEntropyLoss')),
        [dict(type='KLDistillationLoss')],
    )
    with loss.taught_by(teacher):
        kept = [part(logits, label) for part in loss]
    sum(kept).backward()
    gone = weakref.ref(label), weakref.ref(teacher)
    del label, teacher
    gc.collect()
    assert [each() for each in gone] == [None, None]
