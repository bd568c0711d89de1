"""The methods on logits against loops over their papers' formulas."""

import math

import pytest
import torch
from torch.testing import assert_close

from mmseg_jml.functional import channel_wise_divergence, dist_loss


def case(seed=0, shape=(2, 4, 3, 5)):
    """Logits of a student and a teacher, and a weight that ignores some pixels."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (
        3 * torch.randn(shape, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )
    weight = (torch.rand(2, 3, 5, generator=generator) > 0.3).double()
    return student.requires_grad_(), teacher, weight


def cwd_loop(student, teacher, weight, temperature):
    """Shu et al., ICCV 2021: each class's map is a distribution over the pixels."""
    total = 0.0
    for s_image, t_image, w in zip(student, teacher, weight, strict=True):
        for s_map, t_map in zip(s_image, t_image, strict=True):
            s = [v / temperature for v in s_map[w > 0].tolist()]
            t = [v / temperature for v in t_map[w > 0].tolist()]
            s_sum, t_sum = (sum(math.exp(v) for v in each) for each in (s, t))
            total += sum(
                math.exp(b) / t_sum * (b - math.log(t_sum) - a + math.log(s_sum))
                for a, b in zip(s, t, strict=True)
            )
    return temperature**2 * total / (student.shape[0] * student.shape[1])


def pearson(x, y):
    """The correlation of two lists."""
    a, b = sum(x) / len(x), sum(y) / len(y)
    cov = sum((u - a) * (v - b) for u, v in zip(x, y, strict=True))
    return cov / math.sqrt(sum((u - a) ** 2 for u in x) * sum((v - b) ** 2 for v in y))


def dist_loop(student, teacher, weight, temperature):
    """Huang et al., NeurIPS 2022: over a pixel's classes, over a class's pixels."""
    used = weight.flatten() > 0
    s, t = (
        (each / temperature).softmax(1).transpose(0, 1).flatten(1)[:, used].tolist()
        for each in (student.detach(), teacher)
    )
    pixels = [
        pearson([row[i] for row in s], [row[i] for row in t]) for i in range(len(s[0]))
    ]
    classes = [pearson(a, b) for a, b in zip(s, t, strict=True)]
    inter, intra = (1 - sum(each) / len(each) for each in (pixels, classes))
    return temperature**2 * (inter + intra)


METHODS = {
    'cwd': (channel_wise_divergence, cwd_loop),
    'dist': (dist_loss, dist_loop),
}


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('temperature', [1.0, 4.0])
def test_a_method_is_the_loop_over_its_formula(method, temperature):
    student, teacher, weight = case()
    loss, loop = METHODS[method]
    actual = loss(student, teacher, weight, temperature=temperature)
    assert actual.item() == pytest.approx(loop(student, teacher, weight, temperature))


@pytest.mark.parametrize('method', METHODS)
def test_ignored_pixels_change_neither_value_nor_gradient(method):
    student, teacher, weight = case()
    loss = METHODS[method][0]
    found = []
    for noise in (0.0, 50.0):
        ignored = (1 - weight).unsqueeze(1) * noise
        value = loss(student + ignored, teacher - ignored, weight)
        found.append((value, torch.autograd.grad(value, student)[0]))
    assert_close(found[0], found[1])
    assert (found[0][1] * (1 - weight).unsqueeze(1)).abs().max() == 0


@pytest.mark.parametrize('method', METHODS)
def test_a_student_that_equals_its_teacher_loses_nothing(method):
    student, _, weight = case()
    loss = METHODS[method][0](student, student.detach(), weight)
    assert abs(loss.item()) < 1e-12


@pytest.mark.parametrize('method', METHODS)
def test_a_batch_without_valid_pixels_is_a_zero_on_the_graph(method):
    student, teacher, weight = case()
    loss = METHODS[method][0](student, teacher, torch.zeros_like(weight))
    (grad,) = torch.autograd.grad(loss, student)
    assert loss.item() == 0
    assert grad.abs().max() == 0


def test_dist_correlates_pixels_not_the_batch():
    # A public port transposes without flattening: images in another order would change
    # nothing, and one image alone would have no correlation.
    student, teacher, weight = case(shape=(2, 4, 3, 5))
    swapped = dist_loss(student, teacher.flip(0), weight)
    assert abs(swapped.item() - dist_loss(student, teacher, weight).item()) > 1e-3
    one = dist_loss(student[:1], teacher[:1], weight[:1])
    assert one.item() == pytest.approx(
        dist_loop(student[:1], teacher[:1], weight[:1], 1.0)
    )
