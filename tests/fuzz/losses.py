"""Losses alone, together and against a teacher: values and gradients of the logits."""

import contextlib
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_jml.functional.one_pass.passes import Pass
from mmseg_jml.losses import CompoundLoss, TaughtLoss
from tests.functional.cases import assert_close
from tests.fuzz import draws
from tests.fuzz.draws import Options, Rng, pick
from tests.reference import boundary, cross_entropy, jaccard, targets


class Batch(NamedTuple):
    """What a head hands over; a teacher's logits are compared with beside the label."""

    logits: Tensor
    target: Tensor
    weight: Tensor | None
    ignore_index: int
    teacher: Tensor | None = None

    @property
    def hard(self) -> bool:
        """Whether the target is a label."""
        return not self.target.is_floating_point()

    @property
    def channels(self) -> int:
        """C."""
        return self.logits.shape[1]


class Smoother:
    """A transform without `epsilon_map`: the losses ask it for the whole target.

    It is the reference's, in float32: two ways to the target would differ in rounding.
    """

    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon

    def __call__(self, label: Tensor, num_classes: int, ignore_index: int) -> Tensor:
        return torch.from_numpy(self.target(array(label), num_classes, ignore_index))

    def target(self, label: np.ndarray, channels: int, index: int) -> np.ndarray:
        """The smoothed target (N,C,*)."""
        made = boundary.label_smoothing
        return made(label, channels, self.epsilon, index, channels == 1).astype('f4')

    def __repr__(self) -> str:
        return f'Smoother({self.epsilon})'


def losses(rng: Rng, note: Options) -> None:
    """One to three losses of a hard or a soft target, with and without CompoundLoss."""
    batch = draw_batch(rng, note)
    configs = [draw_loss(rng, batch) for _ in range(rng.integers(1, 4))]
    shared = draw_smoothing(rng, batch)
    alone = shared is None and rng.random() < 0.5
    if shared is None and not alone:
        for config in configs:
            config['label_smoothing'] = draw_smoothing(rng, batch, config)
    note |= {'losses': configs, 'shared smoothing': shared, 'alone': alone}
    with chunks(rng, note):
        if alone:
            parts = [MODELS.build(config) for config in configs]
        else:
            parts = CompoundLoss(losses=configs, label_smoothing=shared)
        of_label = [{'label_smoothing': shared, **config} for config in configs]
        compare(rng, parts, batch, [expected(batch, config) for config in of_label])


def taught(rng: Rng, note: Options) -> None:
    """Losses of a label and, in the same pass, of a teacher's logits."""
    batch = draw_batch(rng, note, hard=True)
    note['of the teacher'] = {}
    teacher = draws.logits(rng, note['shape'], note['of the teacher'])
    if batch.logits.dtype == torch.float64:  # its entropy is as exact as it is
        teacher = teacher.double()
    batch = batch._replace(teacher=teacher)
    of_label = [draw_loss(rng, batch) for _ in range(rng.integers(1, 3))]
    of_teacher = [draw_loss(rng, batch, taught=True) for _ in range(rng.integers(1, 4))]
    shared = draw_smoothing(rng, batch)
    note |= {'label': of_label, 'teacher': of_teacher, 'shared smoothing': shared}
    wanted = [expected(batch, {'label_smoothing': shared, **c}) for c in of_label]
    wanted += [expected_of_teacher(batch, config) for config in of_teacher]
    head = CompoundLoss(losses=of_label, label_smoothing=shared)
    loss = TaughtLoss(head, of_teacher)
    with chunks(rng, note), loss.taught_by(batch.teacher):
        compare(rng, loss, batch, wanted)


def draw_batch(rng: Rng, note: Options, *, hard: bool | None = None) -> Batch:
    """A batch of any shape, type and layout."""
    size = draws.shape(rng)
    logits = draws.logits(rng, size, note)
    hard = rng.random() < 0.7 if hard is None else hard
    ignore_index = pick(rng, draws.IGNORED)
    if hard:
        target = draws.label(rng, size, ignore_index, note)
    else:
        target = draws.soft_target(rng, size, logits.dtype)
    note['hard'] = hard
    return Batch(logits, target, draws.weight(rng, size, note), ignore_index)


def draw_loss(rng: Rng, batch: Batch, *, taught: bool = False) -> Options:
    """The config of one loss that the batch allows."""
    config = draws.shared_options(rng, batch.channels)
    kind = rng.random()
    if taught and kind < 0.4:
        del config['class_weight']
        return {'type': 'KLDistillationLoss', **config}
    if kind < 0.6:
        return {'type': 'SoftCrossEntropyLoss', **config}
    # Of a class with next to no mass the slope is that of 1 / mass: digits get lost.
    wide = batch.logits.dtype == torch.float64
    tame = batch.hard and batch.logits.abs().max() < 30
    steep = not taught and (wide or tame)
    if batch.channels == 1:
        config['class_weight'] = None  # of one class alone it is refused
    return {'type': 'JaccardMetricLoss', **config, **draws.formula(rng, steep=steep)}


def draw_smoothing(
    rng: Rng, batch: Batch, config: Options | None = None
) -> Options | Smoother | None:
    """A label transform that the batch (and the loss) allow, or None."""
    if not batch.hard:
        return None
    found = draws.smoothing(rng, maps=batch.logits.ndim == 4)
    dense = config is not None and not (config['use_sigmoid'] and batch.channels > 1)
    if found and dense and rng.random() < 0.3:
        return Smoother(found['epsilon'])
    return found


@contextlib.contextmanager
def chunks(rng: Rng, note: Options) -> Any:
    """Now and then: a pass in chunks of a few pixels, as of a large picture."""
    length = pick(rng, (None, None, 1, 8))
    note['chunks'] = length

    def groups(self: Pass, logits: Tensor) -> list[tuple[slice, list[slice]]]:
        starts = range(0, logits.shape[2], length)
        parts = [slice(start, start + length) for start in starts]
        return [(slice(image, image + 1), parts) for image in range(len(logits))]

    with mock.patch.object(Pass, 'groups', groups) if length else mock.MagicMock():
        yield


def expected(batch: Batch, config: Options) -> 'Expected':
    """The loss of one config against the target, from the loops."""
    given = [None if each is None else array(each) for each in batch[:3]]
    logits, target, weight = given
    weight = np.ones((len(logits), *logits.shape[2:])) if weight is None else weight
    if batch.hard:
        label, index = target, batch.ignore_index
        transform = config.get('label_smoothing')
        target = smoothed(label, batch.channels, transform, config, index)
        weight = weight * targets.valid_mask(label, index)
    return of_probs(logits, target, weight, config)


def smoothed(
    label: np.ndarray, channels: int, transform: Any, config: Options, index: int
) -> np.ndarray:
    """The target (N,C,*) that a loss makes of a label."""
    if isinstance(transform, Smoother):
        return transform.target(label, channels, index)
    sigmoid = config['use_sigmoid']
    if transform is None:
        return targets.one_hot(label, channels, index)
    if transform['type'] == 'LabelSmoothing':
        made = boundary.label_smoothing
        return made(label, channels, transform['epsilon'], index, sigmoid)
    return boundary.boundary_label_smoothing(
        label,
        channels,
        transform['kernel_size'],
        transform['epsilon'],
        index,
        transform['ignore_neighbours'],
        sigmoid,
    )


def expected_of_teacher(batch: Batch, config: Options) -> 'Expected':
    """The loss of one config against the teacher, softened as the student is."""
    logits, teacher = array(batch.logits), array(batch.teacher)
    valid = targets.valid_mask(array(batch.target), batch.ignore_index)
    weight = valid if batch.weight is None else valid * array(batch.weight)
    temperature, sigmoid = config['temperature'], config['use_sigmoid']
    activation = jaccard.logistic if sigmoid else jaccard.softmax
    target = activation(teacher / temperature)
    found = of_probs(logits, target, weight.astype(float), config)
    if config['type'] != 'KLDistillationLoss':
        return found
    entropy, _ = cross_entropy.cross_entropy(
        teacher / temperature, target, weight.astype(float), None, sigmoid
    )
    scale = temperature**2
    value = scale * (found.value - config['loss_weight'] * entropy)
    # Of the difference of two sums the digits are those of the larger.
    return Expected(value, scale * found.gradient, found.kinks, scale * found.size)


class Expected(NamedTuple):
    """A loss from the loops, its gradient, and where that has no single value."""

    value: float
    gradient: np.ndarray  # (N,C,*)
    kinks: np.ndarray  # (N,1,*) the distance to the next p = y, inf without one
    size: float  # of the numbers that the value comes from


def of_probs(
    logits: np.ndarray, target: np.ndarray, weight: np.ndarray, config: Options
) -> Expected:
    """The loss of one config against a soft target."""
    weights, scale = config.get('class_weight'), config['loss_weight']
    weights = None if weights is None else np.array(weights)
    temperature, sigmoid = config['temperature'], config['use_sigmoid']
    kinks = np.full((len(logits), 1, *logits.shape[2:]), np.inf)
    size = 0.0
    if config['type'] != 'JaccardMetricLoss':
        value, gradient = cross_entropy.cross_entropy(
            logits / temperature, target, weight, weights, sigmoid
        )
        gradient = gradient / temperature
        # Of a pixel of z = 10,000 and y near 1, (1 - y) z has the digits of y z.
        size = 1e-3 * np.abs(logits).max() / temperature
    else:
        names = ('variant', 'threshold', 'alpha', 'beta', 'gamma', 'log_loss', 'smooth')
        options = {name: config[name] for name in names}
        value, gradient = jaccard.jaccard_loss_from_logits(
            logits,
            target,
            weight,
            sigmoid=sigmoid,
            temperature=temperature,
            active_classes=config['active_classes'],
            reduction=config['reduction'],
            class_weight=weights,
            **options,
        )
        activation = jaccard.logistic if sigmoid else jaccard.softmax
        distance = np.abs(activation(logits / temperature) - target)
        inside = (target > 0) & (target < 1) & (config['variant'][:3] == 'jml')
        kinks = np.where(inside, distance, np.inf).min(1, keepdims=True)
    return Expected(
        scale * value, scale * gradient, kinks, scale * max(size, abs(value))
    )


def compare(rng: Rng, parts: Any, batch: Batch, wanted: list[Expected]) -> None:
    """Each value, and the gradient of a weighted sum of them."""
    tolerance = draws.TOLERANCES[batch.logits.dtype]
    logits = batch.logits.detach().requires_grad_()
    given = (batch.target, batch.weight, batch.ignore_index)
    values = [part(logits, *given) for part in parts]
    for value, each in zip(values, wanted, strict=True):
        assert value.dtype == torch.promote_types(logits.dtype, torch.float32)
        close(value, each.value, tolerance, max(1e-2, each.size))
    factors = [float(pick(rng, (1.0, 0.5, -2.0, 100.0))) for _ in values]
    total = sum(f * value for f, value in zip(factors, values, strict=True))
    (found,) = torch.autograd.grad(total, logits)
    assert found.dtype == logits.dtype
    assert found.isfinite().all()
    gradient = sum(f * each.gradient for f, each in zip(factors, wanted, strict=True))
    kinks = np.min([each.kinks for each in wanted], axis=0)
    smooth = np.broadcast_to(kinks > 10 * tolerance, gradient.shape)
    size = max(1e-2 * max(map(abs, factors)), np.abs(gradient).max(initial=0.0))
    found = array(found)
    close(np.where(smooth, found, gradient), gradient, tolerance, size)
    counts = targets.valid_mask(array(batch.target), batch.ignore_index)
    if batch.hard:
        ignored = np.broadcast_to(~counts[:, None], found.shape)
        assert (found[ignored] == 0).all()


def close(actual: Any, wanted: Any, tolerance: float, size: float) -> None:
    """Equal within a share of a size."""
    assert_close(array(actual), array(wanted), tolerance, floor=size)


def array(values: Any) -> np.ndarray:
    """A tensor as an array: of floats float64, of integers as they are."""
    if not isinstance(values, Tensor):
        return np.asarray(values)
    values = values.detach()
    return (values.double() if values.is_floating_point() else values).numpy()
