"""The module adds labels, masks and precision to `functional.jaccard_loss`."""

import pytest
import torch
from torch.testing import assert_close

from mmseg_jml.functional import boundary_mask, jaccard_loss, smooth_target
from mmseg_jml.functional.targets import one_hot
from mmseg_jml.losses import CompoundLoss, JaccardMetricLoss, SoftCrossEntropyLoss
from tests.losses.cases import case, value_and_grad

LOSSES = [
    pytest.param(JaccardMetricLoss(), id='jml1'),
    pytest.param(JaccardMetricLoss(variant='jml2', active_classes='all'), id='jml2'),
    pytest.param(JaccardMetricLoss(variant='sjl_l2', log_loss=True), id='sjl_l2-log'),
    pytest.param(
        JaccardMetricLoss(reduction=dict(image=0.5, per_class=0.5), gamma=2.0),
        id='fine-grained',
    ),
    pytest.param(
        JaccardMetricLoss(alpha=0.3, beta=0.7, use_sigmoid=True), id='tversky-sigmoid'
    ),
    pytest.param(SoftCrossEntropyLoss(), id='ce'),
    pytest.param(
        SoftCrossEntropyLoss(class_weight=[1, 2, 0.5, 1, 3]), id='ce-weighted'
    ),
    pytest.param(SoftCrossEntropyLoss(use_sigmoid=True), id='bce'),
]
each_loss = pytest.mark.parametrize('loss', LOSSES)


def test_the_module_is_the_function_on_its_smoothed_target():
    logits, label = case()
    epsilon = 0.5 * boundary_mask(label)
    target = smooth_target(one_hot(label, 5, dtype=torch.float64), epsilon)
    expected = 3 * jaccard_loss(logits.softmax(1), target, (label != 255).double())
    bls = dict(type='BoundaryLabelSmoothing')
    loss = JaccardMetricLoss(label_smoothing=bls, loss_weight=3.0)
    assert_close(loss(logits, label), expected)


@each_loss
def test_a_volume_is_a_picture_of_all_its_slices(loss):
    logits, label = case()
    flat = value_and_grad(loss, logits, label)
    volume = logits.detach().reshape(2, 5, 3, 3, 11).requires_grad_()
    value, grad = value_and_grad(loss, volume, label.reshape(2, 3, 3, 11))
    assert_close(value, flat[0])
    assert_close(grad.reshape(logits.shape), flat[1])


def test_a_volume_is_smoothed_at_its_own_boundaries():
    logits, label = (each.reshape(*each.shape[:-2], 3, 3, 11) for each in case())
    target = smooth_target(
        one_hot(label, 5, dtype=torch.float64), 0.5 * boundary_mask(label)
    )
    expected = jaccard_loss(logits.softmax(1), target, (label != 255).double())
    loss = JaccardMetricLoss(label_smoothing=dict(type='BoundaryLabelSmoothing'))
    assert_close(loss(logits, label), expected)


@each_loss
def test_ignored_pixels_do_not_change_value_or_gradient(loss):
    logits, label = case()
    ignored = (label == 255).unsqueeze(1)
    noisy = torch.where(ignored, 1e3, logits.detach()).requires_grad_()
    value, grad = value_and_grad(loss, logits, label)
    noisy_value, noisy_grad = value_and_grad(loss, noisy, label)
    assert_close(noisy_value, value, rtol=1e-12, atol=0)
    assert_close(noisy_grad, grad, rtol=1e-12, atol=1e-15)
    assert not grad[ignored.expand_as(grad)].any()


@each_loss
def test_a_weight_of_zero_ignores_as_the_label_does(loss):
    logits, label = case()
    weight = (label != 255).double()
    hard = label.where(label != 255, 0)
    by_weight = value_and_grad(loss, logits, hard, weight=weight)
    assert_close(by_weight, value_and_grad(loss, logits, label))


@each_loss
def test_an_all_ignored_batch_is_a_zero_on_the_graph(loss):
    logits, label = case()
    value, grad = value_and_grad(loss, logits, torch.full_like(label, 255))
    assert value == 0
    assert not grad.any()


@each_loss
def test_a_hard_label_is_its_one_hot_target(loss):
    logits, label = case()
    target, weight = one_hot(label, 5), (label != 255).float()
    soft = value_and_grad(loss, logits, target, weight=weight)
    assert_close(soft, value_and_grad(loss, logits, label))


@each_loss
def test_points_are_pixels(loss):
    logits, label = case()
    points = value_and_grad(loss, logits.flatten(2), label.flatten(1))
    maps = value_and_grad(loss, logits, label)
    assert_close(points[0], maps[0])


@each_loss
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_logits_lose_only_their_own_rounding(loss, dtype):
    logits, label = case(dtype=dtype)
    value, grad = value_and_grad(loss, logits, label)
    exact, exact_grad = value_and_grad(
        loss, logits.detach().double().requires_grad_(), label
    )
    assert value.dtype == torch.float32
    assert grad.dtype == dtype
    assert_close(value.double(), exact, rtol=1e-5, atol=1e-6)
    assert_close(grad.double(), exact_grad, rtol=1e-2, atol=1e-5)


@each_loss
def test_autocast_does_not_lower_the_precision(loss):
    logits, label = case(dtype=torch.float32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value, grad = value_and_grad(loss, logits, label)
    plain, plain_grad = value_and_grad(loss, logits, label)
    assert value == plain
    assert torch.equal(grad, plain_grad)


@pytest.mark.parametrize('factor', [0.5, 2.0])
def test_temperature_divides_the_logits(factor):
    logits, label = case()
    warm = JaccardMetricLoss(temperature=factor)(logits, label)
    assert_close(warm, JaccardMetricLoss()(logits / factor, label))


def test_fp16_sums_over_many_pixels_do_not_overflow():
    logits = torch.zeros(1, 2, 512, 512, dtype=torch.float16)
    label = torch.zeros(1, 512, 512, dtype=torch.long)
    assert_close(JaccardMetricLoss(smooth=0.0)(logits, label), torch.tensor(0.5))


@pytest.mark.parametrize('smoothing', [None, dict(type='BoundaryLabelSmoothing')])
def test_ten_million_pixels_in_float32_are_exact_to_1e_6(smoothing):
    parts = [dict(type='SoftCrossEntropyLoss'), dict(type='JaccardMetricLoss')]
    loss = CompoundLoss(losses=parts, label_smoothing=smoothing)
    logits, label = case(1, 2, 2500, 4000, dtype=torch.float32)
    with torch.no_grad():
        single, exact = (loss.compute_all(z, label) for z in (logits, logits.double()))
    for ours, expected in zip(single.values(), exact.values(), strict=True):
        assert abs(ours.item() - expected.item()) < 1e-6 * expected.item()


@pytest.mark.parametrize('shape', [(0, 3, 4, 5), (2, 3, 0, 5)])
def test_a_batch_without_pixels_is_a_zero_on_the_graph(shape):
    logits = torch.zeros(shape, requires_grad=True)
    label = torch.zeros(shape[0], *shape[2:], dtype=torch.long)
    loss = JaccardMetricLoss()(logits, label)
    (grad,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert grad.shape == shape


def test_a_binary_head_reads_foreground_from_its_only_channel():
    logits, label = case(c=1)
    probs = logits.sigmoid()
    target = (label == 1).double().unsqueeze(1)
    expected = jaccard_loss(probs, target, (label != 255).double(), sigmoid=True)
    assert_close(JaccardMetricLoss(use_sigmoid=True)(logits, label), expected)


def test_binary_smoothing_moves_both_outcomes_alike():
    logits, label = case(c=1)
    loss = SoftCrossEntropyLoss(
        use_sigmoid=True, label_smoothing=dict(type='LabelSmoothing', epsilon=0.2)
    )
    mirrored = label.where(label == 255, 1 - label)
    assert_close(loss(logits, label), loss(-logits, mirrored))


def test_a_transform_without_an_epsilon_map_gives_its_own_target():
    logits, label = case()

    def half(label, num_classes, ignore_index=255):
        return 0.5 * one_hot(label, num_classes, ignore_index)

    weight = (label != 255).double()
    expected = JaccardMetricLoss()(logits, half(label, 5).double(), weight=weight)
    assert_close(JaccardMetricLoss(label_smoothing=half)(logits, label), expected)


def test_an_own_ignore_index_holds_where_the_head_gives_none():
    logits, label = case()
    other = label.where(label != 255, 7)
    loss = JaccardMetricLoss(ignore_index=7)
    assert_close(loss(logits, other), JaccardMetricLoss()(logits, label))
    assert_close(loss(logits, label, ignore_index=255), loss(logits, other))


def test_class_weights_travel_with_the_module_but_not_with_the_checkpoint():
    loss = JaccardMetricLoss(class_weight=[1.0, 2.0]).to(torch.float64)
    assert loss.class_weight.dtype == torch.float64
    assert not loss.state_dict()


@each_loss
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_diverged_network_has_no_finite_loss(loss, value):
    logits, label = case()
    spoiled = logits.detach().clone()
    spoiled[1, 2, 4, 4] = value
    if loss.use_sigmoid and value == float('inf'):
        spoiled[1, 2, 4, 4] = float('nan')  # sigmoid of inf is 1
    label[1, 4, 4] = 0
    assert not loss(spoiled, label).isfinite()


@each_loss
@pytest.mark.parametrize('dtype', [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_narrow_label_types_are_labels(loss, dtype):
    logits, label = case()
    ignored = -100 if dtype != torch.uint8 else 255
    narrow = label.where(label != 255, ignored).to(dtype)
    assert_close(loss(logits, narrow, ignore_index=ignored), loss(logits, label))
