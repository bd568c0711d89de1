"""One pass over the logits gathers what separate, plain sums say."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmseg_jml.functional.boundary import smooth_target
from mmseg_jml.functional.one_pass import SUM_NAMES, ClassSums, Target, class_sums
from mmseg_jml.functional.targets import one_hot

DIFFERENTIABLE = ('probs', 'probs_squared', 'minimum', 'product', 'cross_entropy')
NEEDS = frozenset(
    {
        'probs',
        'probs_squared',
        'minimum',
        'product',
        'target',
        'target_squared',
        'cross_entropy',
        'max_target',
        'max_probs',
        'max_sum',
        'largest',
    }
)
ACTIVATIONS = {
    'softmax': lambda z: z.softmax(1),
    'sigmoid': torch.sigmoid,
    'identity': lambda z: z,
}


def activated(logits, activation, temperature):
    return ACTIVATIONS[activation](logits.flatten(2) / temperature)


def plain_target(target, shape, activation, temperature):
    if target.probs is not None:
        return target.probs.flatten(2)
    if target.logits is not None:
        return activated(target.logits, activation, temperature)
    label = target.label.flatten(1)
    hard = one_hot(label, shape[1], target.ignore_index, torch.float64)
    if target.epsilon is None:
        return hard
    return smooth_target(hard, target.epsilon.flatten(1), activation == 'sigmoid')


def plain_cross_entropy(logits, y, weight, class_weight, activation):
    k = y.new_ones(y.shape[1]) if class_weight is None else class_weight
    if activation == 'sigmoid':
        loss = F.binary_cross_entropy_with_logits(
            logits, y, reduction='none', pos_weight=k[:, None]
        )
        scale = weight[:, None].expand_as(y)
        return (loss * scale).sum((1, 2)), scale.sum((1, 2))
    mixture = 1.0 if class_weight is None else (k[:, None] * y).sum(1)
    scale = weight * mixture
    return (-(y * logits.log_softmax(1)).sum(1) * scale).sum(1), scale.sum(1)


def plain_sums(logits, targets, weight, activation, temperature):
    """The definitions of `ClassSums`, each over whole tensors."""
    p = activated(logits, activation, temperature)
    w = p.new_ones(p.shape[0], p.shape[2]) if weight is None else weight.flatten(1)
    for target in targets:
        if target.label is not None:
            w = w * (target.label.flatten(1) != target.ignore_index)
    used = (w > 0).double()[:, None]
    sums = []
    for target in targets:
        y = plain_target(target, logits.shape, activation, temperature)
        first = F.one_hot(y.argmax(1), y.shape[1]).movedim(-1, 1)
        ce = mass = None
        if activation != 'identity':
            scaled = logits.flatten(2) / temperature
            ce, mass = plain_cross_entropy(
                scaled, y, w, target.class_weight, activation
            )
        sums.append(
            dict(
                probs=(p * w[:, None]).sum(2),
                probs_squared=(p * p * w[:, None]).sum(2),
                minimum=(torch.minimum(p, y) * w[:, None]).sum(2),
                product=(p * y * w[:, None]).sum(2),
                target=(y * w[:, None]).sum(2),
                target_squared=(y * y * w[:, None]).sum(2),
                max_target=(y * used).amax(2),
                max_probs=(p * used).amax(2),
                max_sum=((p + y) * used).amax(2),
                largest=(first * used).sum(2),
                cross_entropy=ce,
                pixel_weight=mass,
                pixels=w.sum(1),
            )
        )
    return sums


def make_targets(kind, activation, shape, label, class_weight):
    n, _, *space = shape
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    teacher = noise if activation != 'identity' else noise.sigmoid()
    rare = (torch.rand(n, *space, generator=generator) < 0.3).double() / 2
    needs = NEEDS if activation != 'identity' else NEEDS - {'cross_entropy'}
    hard = Target(needs, label=label, class_weight=class_weight)
    kinds = {
        'hard': [hard],
        'rarely smoothed': [hard._replace(epsilon=rare)],
        'smoothed': [hard._replace(epsilon=torch.full_like(rare, 0.3))],
        'uniform': [hard._replace(epsilon=torch.ones_like(rare))],
        'soft': [Target(needs, probs=noise.sigmoid(), class_weight=class_weight)],
        'teacher': [Target(needs, logits=teacher, class_weight=class_weight)],
        'all at once': [
            hard,
            Target(needs, probs=noise.sigmoid()),
            hard._replace(epsilon=rare),
            Target(needs, logits=teacher),
        ],
    }
    return kinds[kind]


def make_case(kind, activation, shape, weighted, scale):
    generator = torch.Generator().manual_seed(0)
    n, c, *space = shape
    logits = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    if activation == 'identity':
        logits = logits.sigmoid()
    label = torch.randint(0, max(c, 2), (n, *space), generator=generator)
    label[0] = 255
    label.view(n, -1)[1, ::3] = 255
    class_weight = weight = None
    if weighted:
        class_weight = torch.rand(c, generator=generator, dtype=torch.float64) + 0.1
        weight = torch.rand(n, *space, generator=generator, dtype=torch.float64)
        weight *= torch.rand(n, *space, generator=generator) > 0.2
    targets = make_targets(kind, activation, shape, label, class_weight)
    return logits.requires_grad_(), targets, weight


def assert_same(actual, expected):
    """Every sum and largest value of every target."""
    for ours, theirs in zip(actual, expected, strict=True):
        wanted = theirs if isinstance(theirs, dict) else theirs.sums
        wanted = {name: each for name, each in wanted.items() if each is not None}
        assert set(ours.sums) == set(wanted)
        for name, values in wanted.items():
            assert_close(getattr(ours, name), values.double(), rtol=1e-9, atol=1e-10)


def combined(sums):
    """A scalar in which every differentiable sum has a factor of its own."""
    total = 0.0
    for seed, (each, name) in enumerate(itertools.product(sums, DIFFERENTIABLE)):
        values = (each if isinstance(each, dict) else each.sums).get(name)
        if values is not None:
            generator = torch.Generator().manual_seed(seed)
            total = (
                total + (values * torch.randn(values.shape, generator=generator)).sum()
            )
    return total


KINDS = (
    'hard',
    'rarely smoothed',
    'smoothed',
    'uniform',
    'soft',
    'teacher',
    'all at once',
)
SHAPES = ((2, 5, 9, 11), (2, 2, 1, 1), (3, 5, 7), (2, 1, 1, 6))
CASES = [
    (kind, activation, shape)
    for kind, activation, shape in itertools.product(KINDS, ACTIVATIONS, SHAPES)
    if not (activation == 'softmax' and shape[1] == 1)
]


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize(('temperature', 'scale'), [(1.0, 1.0), (2.0, 60.0)])
@pytest.mark.parametrize(('kind', 'activation', 'shape'), CASES)
def test_the_pass_says_what_plain_sums_say(
    kind, activation, shape, temperature, scale, weighted
):
    logits, targets, weight = make_case(kind, activation, shape, weighted, scale)
    if activation == 'identity':
        temperature = 1.0
    options = dict(activation=activation, temperature=temperature)
    actual = class_sums(logits, targets, weight, **options)
    expected = plain_sums(logits, targets, weight, activation, temperature)
    assert_same(actual, expected)
    gradients = [
        torch.autograd.grad(combined(sums), logits, retain_graph=True)[0]
        for sums in (actual, expected, actual)
    ]
    assert_close(gradients[0], gradients[1], rtol=1e-8, atol=1e-10)
    assert_close(gradients[2], gradients[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('shape', [(2, 150, 5, 3), (2, 1000, 2, 2), (2, 3, 300, 401)])
def test_many_classes_and_several_chunks(shape):
    logits, targets, weight = make_case('all at once', 'softmax', shape, True, 1.0)
    actual = class_sums(logits, targets, weight)
    expected = plain_sums(logits, targets, weight, 'softmax', 1.0)
    assert_same(actual, expected)
    gradients = [
        torch.autograd.grad(combined(sums), logits)[0] for sums in (actual, expected)
    ]
    assert_close(*gradients, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    'arrange',
    [
        lambda z: z.to(memory_format=torch.channels_last),
        lambda z: z.transpose(2, 3).contiguous().transpose(2, 3),
        lambda z: F.pad(z, (1, 2, 3, 4))[:, :, 3:-4, 1:-2],
    ],
    ids=['channels_last', 'transposed', 'cropped'],
)
def test_memory_layout_does_not_matter(arrange):
    logits, targets, weight = make_case(
        'all at once', 'softmax', (2, 5, 9, 11), True, 1.0
    )
    other = arrange(logits.detach()).requires_grad_()
    values = [combined(class_sums(z, targets, weight)) for z in (logits, other)]
    assert_close(*values, rtol=1e-12, atol=0)
    gradients = [
        torch.autograd.grad(v, z)[0]
        for v, z in zip(values, (logits, other), strict=True)
    ]
    assert_close(*gradients, rtol=1e-10, atol=1e-12)


def test_a_second_derivative_is_refused():
    logits, targets, _ = make_case('hard', 'softmax', (2, 5, 9, 11), False, 1.0)
    with pytest.raises(RuntimeError, match='no second derivative'):
        torch.autograd.grad(
            combined(class_sums(logits, targets)), logits, create_graph=True
        )


def test_only_the_gradient_is_as_large_as_the_logits():
    shape = (2, 19, 128, 256)
    logits = torch.randn(shape, requires_grad=True)
    label = torch.randint(0, 19, (2, 128, 256))
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: sizes.append(t.numel()) or t, lambda t: t
    ):
        class_sums(logits, [Target(NEEDS, label=label)])
    # What is saved: the logits and the label, which are there anyway, and class sums.
    assert sorted(sizes)[-2:] == [label.numel(), logits.numel()]
    assert all(size <= 2 * 19 * 2 for size in sorted(sizes)[:-2])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_scalers_factor_keeps_small_gradients_of_half_logits(dtype):
    # A pixel's share of the gradient is about 1e-5: fp16 loses it unless it is scaled.
    logits = torch.randn(1, 3, 256, 256).to(dtype).requires_grad_()
    label = torch.randint(0, 3, (1, 256, 256))
    needs = frozenset({'cross_entropy'})
    (sums,) = class_sums(logits, [Target(needs, label=label)])
    mean = (sums.cross_entropy / sums.pixel_weight).sum()
    (grad,) = torch.autograd.grad(mean * 2.0**16, logits)
    exact = logits.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(F.cross_entropy(exact, label) * 2.0**16, exact)
    assert (grad == 0).double().mean() < 1e-3
    assert_close(grad.double(), expected, rtol=1e-2, atol=1e-6)


def test_the_names_that_may_be_asked_for_are_the_fields_of_the_sums():
    assert set(ClassSums.__annotations__) == SUM_NAMES


@pytest.mark.parametrize('name', sorted(SUM_NAMES))
def test_each_sum_can_be_asked_for_alone(name):
    logits, (target,), _ = make_case('hard', 'softmax', (2, 5, 9, 11), False, 1.0)
    (everything,) = class_sums(logits, [target])
    (sums,) = class_sums(logits, [target._replace(needs=frozenset({name}))])
    assert_close(getattr(sums, name), getattr(everything, name), rtol=1e-12, atol=0)


def test_a_sum_that_was_not_asked_for_cannot_be_used():
    logits, (target,), _ = make_case('hard', 'softmax', (2, 5, 9, 11), False, 1.0)
    (sums,) = class_sums(logits, [target._replace(needs=frozenset({'probs'}))])
    for name in SUM_NAMES - {'probs', 'pixels'}:
        with pytest.raises(AttributeError, match=f'`{name}` was not asked for'):
            getattr(sums, name)
    with pytest.raises(AttributeError, match="did you mean 'minimum'"):
        sums.minimun  # noqa: B018
    with pytest.raises(AttributeError, match='the sums are probs, probs_squared'):
        sums.xyz  # noqa: B018


def test_a_name_that_is_no_sum_is_refused():
    logits, (target,), _ = make_case('hard', 'softmax', (2, 5, 9, 11), False, 1.0)
    with pytest.raises(ValueError, match="'minimun'; did you mean 'minimum'"):
        class_sums(logits, [target._replace(needs=frozenset({'minimun'}))])
    with pytest.raises(TypeError, match='must be a set of names of sums'):
        class_sums(logits, [target._replace(needs='probs')])
