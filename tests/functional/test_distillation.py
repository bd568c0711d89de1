"""The distillation losses agree with loops, and have no fault of the public ports."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmseg_jml.functional.cross_entropy import cross_entropy
from mmseg_jml.functional.distillation import (
    channel_wise_divergence,
    correlation_losses,
    entropy_sum,
    teacher_divergence,
)
from tests.functional.cases import (
    assert_close,
    finite_differences,
    laws,
    random_weight,
    seeds,
    tensor,
    value_and_gradient,
)
from tests.reference import distillation as reference

temperatures = st.sampled_from([1.0, 2.0, 0.5])
shapes = st.sampled_from([(2, 3, 2, 3), (2, 4, 5), (1, 2, 1, 4), (3, 5, 1, 2)])


def inter(*args, **options):
    return correlation_losses(*args, **options)[0]


def intra(*args, **options):
    return correlation_losses(*args, **options)[1]


# Each with the loop that it should be.
LOSSES = {
    'kl': (teacher_divergence, reference.teacher_divergence),
    'cwd': (channel_wise_divergence, reference.channel_wise_divergence),
    'inter': (inter, lambda *args: reference.correlation_losses(*args)[0]),
    'intra': (intra, lambda *args: reference.correlation_losses(*args)[1]),
}
every = pytest.mark.parametrize('name', LOSSES)


def draw(seed, shape, dtype=np.float64):
    """Student, teacher, and a weight of which a third is 0."""
    rng = np.random.default_rng(seed)
    student, teacher = (rng.normal(0, 2, shape).astype(dtype) for _ in range(2))
    return student, teacher, random_weight(rng, (shape[0], *shape[2:])).astype(dtype)


@every
@given(seed=seeds, shape=shapes, temperature=temperatures)
@laws
def test_each_agrees_with_its_loop(name, seed, shape, temperature):
    student, teacher, weight = draw(seed, shape)
    ours, loop = LOSSES[name]
    found = ours(*map(tensor, (student, teacher, weight)), temperature=temperature)
    # A pixel's weight near 0 makes correlations of nearly nothing.
    assert_close(found.item(), loop(student, teacher, weight, temperature), 1e-9)


@every
def test_each_gradient_agrees_with_differences_of_its_loop(name):
    student, teacher, weight = draw(1, (2, 3, 2, 2))
    ours, loop = LOSSES[name]
    _, gradient = value_and_gradient(
        lambda z: ours(z, tensor(teacher), tensor(weight), temperature=2.0), student
    )
    expected = finite_differences(lambda z: loop(z, teacher, weight, 2.0), student)
    assert_close(gradient, expected, 1e-7, floor=1.0)


@every
@given(seed=seeds, temperature=temperatures)
@laws
def test_each_is_zero_where_student_and_teacher_are_equal(name, seed, temperature):
    student, _, weight = draw(seed, (2, 3, 3, 4))
    weight[0, 0] = 1
    z = tensor(student)
    value = LOSSES[name][0](z, z, tensor(weight), temperature=temperature)
    assert abs(value.item()) < 1e-12


@every
def test_ignored_pixels_change_neither_value_nor_gradient(name):
    student, teacher, weight = draw(2, (2, 3, 4, 5))
    ignored = np.broadcast_to((weight == 0)[:, None], student.shape)
    assert 0 < ignored.mean() < 1
    noise = np.random.default_rng(0).normal(0, 30, student.shape)
    noisy = [np.where(ignored, noise, each) for each in (student, teacher)]
    ours, _ = LOSSES[name]
    results = [
        value_and_gradient(lambda z, t=t: ours(z, tensor(t), tensor(weight)), s)
        for s, t in ((student, teacher), noisy)
    ]
    assert_close(results[1][0], results[0][0], 1e-14)
    assert_close(results[1][1], results[0][1], 1e-14)
    assert (results[1][1][ignored] == 0).all()


@every
def test_an_ignored_image_does_not_count(name):
    student, teacher, weight = (tensor(each) for each in draw(3, (3, 3, 2, 4)))
    weight[1] = 0
    rest = [each[[0, 2]] for each in (student, teacher, weight)]
    ours, _ = LOSSES[name]
    assert_close(ours(student, teacher, weight), ours(*rest), 1e-14)


@every
def test_without_a_pixel_each_is_a_zero_on_the_graph(name):
    student, teacher, weight = draw(4, (2, 3, 2, 2))
    ours, _ = LOSSES[name]
    value, gradient = value_and_gradient(
        lambda z: ours(z, tensor(teacher), tensor(0 * weight)), student
    )
    assert value == 0
    assert (gradient == 0).all()


@every
@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_a_diverged_network_has_no_finite_loss(name, side):
    sides = dict(zip(('student', 'teacher'), draw(5, (2, 3, 2, 2)), strict=False))
    sides[side][1, 2, 0, 1] = math.nan
    other = 'student' if side == 'teacher' else 'teacher'
    ours, _ = LOSSES[name]
    for constant in (False, True):  # with which nothing correlates
        sides[other] *= not constant
        assert math.isnan(ours(*map(tensor, sides.values())))


@every
def test_no_gradient_reaches_the_teacher(name):
    student, teacher, _ = (tensor(each) for each in draw(5, (1, 3, 2, 2)))
    student.requires_grad_()
    teacher.requires_grad_()
    LOSSES[name][0](student, teacher).backward()
    assert teacher.grad is None


@every
def test_a_larger_picture_of_the_same_pixels_costs_the_same(name):
    """Of the public ports one divides KL by N alone, so that it grows with H W."""
    student, teacher, weight = (tensor(each) for each in draw(6, (2, 3, 4, 4)))
    doubled = [
        each.repeat_interleave(2, -1).repeat_interleave(2, -2)
        for each in (student, teacher, weight)
    ]
    ours, _ = LOSSES[name]
    assert_close(ours(*doubled), ours(student, teacher, weight), 1e-12)


@pytest.mark.parametrize('name', ['kl', 'inter', 'intra'])
def test_it_does_not_matter_in_which_picture_a_pixel_lies(name):
    """Of the public ports one correlates over the pictures in place of the pixels."""
    student, teacher, weight = (tensor(each) for each in draw(7, (2, 3, 12)))
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))

    def shuffled(values):
        pixels = values.movedim(1, -1).reshape(24, 3)[order]
        return pixels.reshape(2, 12, 3).movedim(-1, 1)

    ours, _ = LOSSES[name]
    mixed = (
        shuffled(student),
        shuffled(teacher),
        weight.reshape(24)[order].view(2, 12),
    )
    assert_close(ours(*mixed), ours(student, teacher, weight), 1e-12)


@every
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    # Sums over so many pixels leave the range of half precision.
    student, teacher, _ = (tensor(each) for each in draw(8, (1, 3, 300, 300)))
    student, teacher = student.to(dtype), teacher.to(dtype)
    ours, _ = LOSSES[name]
    found, expected = ours(student, teacher), ours(student.double(), teacher.double())
    assert found.dtype in (torch.float32, torch.float64)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


@every
def test_a_million_pixels_in_float32_agree_with_float64(name):
    student, teacher, _ = (tensor(each) for each in draw(9, (1, 3, 1000, 1000)))
    ours, _ = LOSSES[name]
    single = ours(student.float(), teacher.float())
    assert single.item() == pytest.approx(ours(student, teacher).item(), rel=1e-5)


@every
def test_certain_logits_stay_finite(name):
    student = torch.tensor([[[200.0, -200.0], [-200.0, 200.0]]])
    ours, _ = LOSSES[name]
    value, gradient = value_and_gradient(lambda z: ours(z, -student), student)
    assert math.isfinite(value)
    assert np.isfinite(gradient).all()


def test_at_temperature_1_kl_has_the_gradient_of_the_cross_entropy_to_the_teacher():
    student, teacher, weight = draw(10, (2, 3, 3, 3))
    probs, w = tensor(teacher).softmax(1), tensor(weight)
    _, kl = value_and_gradient(
        lambda z: teacher_divergence(z, tensor(teacher), w), student
    )
    _, ce = value_and_gradient(lambda z: cross_entropy(z, probs, w), student)
    assert_close(kl, ce, 1e-12)


def test_adding_to_a_channel_does_not_change_the_channel_wise_divergence():
    student, teacher, weight = (tensor(each) for each in draw(11, (2, 3, 3, 3)))
    moved = student + torch.tensor([1.0, -5.0, 3.0]).view(1, 3, 1, 1)
    assert_close(
        channel_wise_divergence(moved, teacher, weight),
        channel_wise_divergence(student, teacher, weight),
        1e-12,
    )


def test_a_class_that_is_nearly_absent_still_correlates():
    """With an absolute epsilon in the denominator it would not."""
    logits = torch.randn(1, 3, 100, generator=torch.Generator().manual_seed(0))
    logits[:, 2] -= 25  # probabilities around 1e-11
    assert intra(logits, logits).item() < 1e-6


@pytest.mark.parametrize('num_classes', [3, 7, 11, 19, 150])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_rounding_is_no_variation(num_classes, dtype):
    """Equal probabilities are off by rounding, whose correlation has a vast slope."""
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(2, num_classes, 9, 9, generator=generator, dtype=dtype)
    same = torch.zeros_like(teacher, requires_grad=True)
    (gradient,) = torch.autograd.grad(inter(same, teacher) + intra(same, teacher), same)
    assert (gradient == 0).all()
    likely = torch.randn(1, num_classes, 1, 1, generator=generator, dtype=dtype)
    student = likely.expand_as(teacher).clone().requires_grad_()  # alike at each pixel
    (gradient,) = torch.autograd.grad(intra(student, teacher), student)
    assert (gradient == 0).all()


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
def test_entropy_is_the_sum_of_minus_p_log_p(activation):
    _, teacher, weight = (tensor(each) for each in draw(12, (2, 3, 3, 4)))
    p = teacher.softmax(1) if activation == 'softmax' else teacher.sigmoid()
    entropy = -torch.xlogy(p, p)
    if activation == 'sigmoid':
        entropy -= torch.xlogy(1 - p, 1 - p)
    found = entropy_sum(teacher, weight, activation=activation)
    assert_close(found, (entropy.sum(1) * weight).sum(), 1e-12)
