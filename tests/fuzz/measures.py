"""What is no loss of a head: formulas, labels, calibration, overlap, distillation."""

import math

import numpy as np
import pytest
import torch

from mmseg_jml.evaluation import CalibrationMetric
from mmseg_jml.functional import (
    adaptive_calibration_error,
    bin_table,
    boundary_mask,
    calibration_measures,
    channel_wise_divergence,
    class_areas,
    classwise_tables,
    correlation_losses,
    fine_grained_measures,
    jaccard_loss,
    softmax_scores,
    teacher_divergence,
)
from mmseg_jml.labels import BoundaryLabelSmoothing, LabelSmoothing
from tests.evaluation.cases import evaluate, sample
from tests.functional.cases import finite_differences, value_and_gradient
from tests.fuzz import draws
from tests.fuzz.draws import Options, Rng, pick
from tests.fuzz.losses import array, close
from tests.reference import boundary, calibration, distillation, jaccard, overlap

CLOSED = ('left', 'right')


def formulas(rng: Rng, note: Options) -> None:
    """`jaccard_loss` of probabilities, with ties p = y and exact zeros and ones."""
    size = draws.shape(rng)
    probs, target = (rng.integers(0, 9, size) / 8 for _ in range(2))
    weight = draws.weight(rng, size, note)
    options = draws.formula(rng, steep=True)
    options['sigmoid'] = bool(rng.random() < 0.5)
    weights = draws.class_weight(rng, size[1])
    note |= {'shape': size, 'class_weight': weights, **options}
    wanted = jaccard.jaccard_loss_and_gradient(
        probs,
        target,
        None if weight is None else array(weight),
        class_weight=None if weights is None else np.array(weights),
        **options,
    )
    given = torch.tensor(weights, dtype=torch.float64) if weights else None
    found = value_and_gradient(
        lambda p: jaccard_loss(
            p, torch.from_numpy(target), weight, class_weight=given, **options
        ),
        probs,
    )
    for ours, loop in zip(found, wanted, strict=True):
        close(ours, loop, 1e-9, 1e-2)


def labels(rng: Rng, note: Options) -> None:
    """Boundary masks and both transforms, of every integer type."""
    size = draws.shape(rng, maps=True)
    size = (size[0], max(size[1], 2), *size[2:])
    index = pick(rng, draws.IGNORED)
    label = draws.label(rng, size, index, note)
    if index != 255:
        label = label.to(pick(rng, (torch.int8, torch.int16, torch.int32)))
    kernel, neighbours = pick(rng, (1, 3, 5, 7, 15)), bool(rng.random() < 0.5)
    epsilon = draws.single(rng.random())
    note |= {'shape': size, 'kernel': kernel, 'dtype': label.dtype, 'eps': epsilon}
    mask = boundary_mask(label, kernel, index, neighbours)
    rule = (index, neighbours)
    assert (array(mask) == boundary.boundary_mask(array(label), kernel, *rule)).all()
    sharp = BoundaryLabelSmoothing(
        kernel_size=kernel, epsilon=epsilon, ignore_neighbours=neighbours
    )
    found = sharp(label, size[1], index)
    wanted = boundary.boundary_label_smoothing(
        array(label), size[1], kernel, epsilon, *rule
    )
    close(found, wanted, 1e-6, 1.0)
    found = LabelSmoothing(epsilon=epsilon)(label, size[1], index)
    wanted = boundary.label_smoothing(array(label), size[1], epsilon, index)
    close(found, wanted, 1e-6, 1.0)


def bins(rng: Rng, note: Options) -> None:
    """Tables and measures of confidences, many of them on or beside an edge."""
    number, count = int(rng.integers(1, 60)), int(rng.integers(1, 21))
    closed, narrow = pick(rng, CLOSED), int(pick(rng, (16, 64, 300)))
    edges = (rng.integers(0, count + 1, number) / count).astype(np.float32)
    kinds = [edges, np.nextafter(edges, rng.integers(0, 2, number), dtype=np.float32)]
    kinds += [rng.random(number, dtype=np.float32)]
    confidence = np.choose(rng.integers(0, 3, number), kinds)
    correct = rng.random(number) < rng.random()
    note |= {'bins': count, 'closed': closed, 'narrow': narrow, 'number': number}
    rows = torch.from_numpy(confidence), torch.from_numpy(correct)
    table = bin_table(*rows, num_bins=count, closed=closed)
    wanted = calibration.measures(confidence.astype(float), correct, count, closed)
    found = {name: value.item() for name, value in calibration_measures(table).items()}
    assert found == pytest.approx(wanted, rel=0, abs=1e-10)
    error = adaptive_calibration_error(bin_table(*rows, num_bins=narrow), count)
    wanted = calibration.adaptive_error(
        confidence.astype(float), correct, count, ties=narrow
    )
    assert error == pytest.approx(wanted, rel=0, abs=1e-10)


def scores(rng: Rng, note: Options) -> None:
    """Confidence, correctness, NLL and Brier of each pixel; class-wise ECE."""
    size = draws.shape(rng)
    size = (size[0], max(size[1], 2), *size[2:])
    logits = draws.logits(rng, size, note)
    if rng.random() < 0.1:  # a class that is ruled out, not the label's
        logits = torch.cat([logits, torch.full_like(logits[:, :1], -math.inf)], 1)
    index = pick(rng, draws.IGNORED)
    label = draws.label(rng, size, index, note)
    found = softmax_scores(logits, label, ignore_index=index)
    rows = calibration.pixel_scores(array(logits), array(label), index)
    valid = label != index
    tolerance = 1e-12 if logits.dtype == torch.float64 else 1e-5
    for name, column in zip(found._fields, zip(*rows, strict=True), strict=False):
        ours = getattr(found, name)[valid]
        close(ours.double(), np.array(column, float), tolerance, 1.0)
    if logits.dtype == torch.float64 and rows:  # the bins are those of the type
        count = note['bins'] = int(rng.integers(1, 16))
        table = classwise_tables(logits, label, num_bins=count, ignore_index=index)
        wanted = calibration.classwise_errors(array(logits), array(label), count, index)
        errors = calibration_measures(table)['ECE']
        near = [c * count % 1 for c in _probs(logits, label, index)]
        if min(min(near), 1 - max(near)) > 1e-9:
            close(errors, np.array(wanted), 1e-10, 1.0)


def _probs(logits: torch.Tensor, label: torch.Tensor, index: int) -> list[float]:
    probs = logits.softmax(1).movedim(1, -1)[label != index]
    inside = probs[(probs > 0) & (probs < 1)]
    return inside.flatten().tolist() or [0.5]


def metric(rng: Rng, note: Options) -> None:
    """CalibrationMetric over pictures and regions, in batches of any size."""
    num_classes, number = int(rng.integers(2, 6)), int(rng.integers(1, 5))
    count, closed = int(rng.integers(1, 16)), pick(rng, CLOSED)
    kernel = pick(rng, (3, 3, 5))
    note |= {'classes': num_classes, 'pictures': number, 'bins': count}
    note |= {'closed': closed, 'kernel': kernel}
    pictures, rows = [], []
    for _ in range(number):
        size = (1, num_classes, *rng.integers(1, 7, 2))
        logits = torch.from_numpy(rng.normal(0, pick(rng, (0.3, 3, 30)), size))
        label = draws.label(rng, size, 255, note)
        pictures.append(sample(logits[0], label[0]))
        mask = boundary.boundary_mask(array(label), kernel)[array(label) != 255]
        found = calibration.pixel_scores(array(logits), array(label))
        rows += [(*row, at) for row, at in zip(found, mask, strict=True)]
    names = tuple(map(str, range(num_classes)))
    cut = int(rng.integers(1, number + 1))
    batches = [pictures[i : i + cut] for i in range(0, number, cut)]
    judge = CalibrationMetric(num_bins=count, closed=closed, kernel_size=kernel)
    found = evaluate(judge, batches, classes=names)
    wanted = {}
    for region in ('all', 'boundary', 'interior'):
        chosen = [r for r in rows if region == 'all' or r[4] == (region == 'boundary')]
        if not chosen:
            continue
        confidence, correct, nll, brier, _ = (
            np.array(column) for column in zip(*chosen, strict=True)
        )
        measured = calibration.measures(confidence, correct, count, closed)
        measured = {name: 100 * value for name, value in measured.items()}
        measured |= {'NLL': nll.mean(), 'Brier': brier.mean()}
        for name, value in measured.items():
            wanted[f'calib/{judge.keys(name, region)}'] = value
    assert found == pytest.approx(wanted, rel=1e-10, abs=1e-9)


def areas(rng: Rng, note: Options) -> None:
    """Acc, IoU and Dice in all forms, and of the worst pictures."""
    size = draws.shape(rng)
    num_classes = max(size[1], 2)
    label = draws.label(rng, size, 255, note)
    prediction = torch.from_numpy(rng.integers(0, num_classes, tuple(label.shape)))
    if rng.random() < 0.3:
        prediction = label.long().where(label != 255, 0)
    percent = pick(rng, (100, 100, 50.0, 5.0, float(rng.random() * 100)))
    note |= {'shape': size, 'percent': percent}
    found = fine_grained_measures(class_areas(prediction, label, num_classes), percent)
    wanted = overlap.fine_grained(array(prediction), array(label), num_classes, percent)
    assert found == pytest.approx(wanted, rel=0, abs=1e-12)


def teachers(rng: Rng, note: Options) -> None:
    """KL, CWD and DIST against their loops, the gradients against differences."""
    n, c = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    size = (n, c, int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    student, teacher = (rng.normal(0, pick(rng, (0.5, 2)), size) for _ in range(2))
    weight = draws.weight(rng, size, note)
    weight = torch.ones(n, *size[2:]) if weight is None else weight
    temperature = pick(rng, (1.0, 0.5, 4.0))
    name = pick(rng, tuple(OF_TEACHERS))
    note |= {'shape': size, 'temperature': temperature, 'loss': name}
    ours, loop = OF_TEACHERS[name]
    value, gradient = value_and_gradient(
        lambda z: ours(z, torch.from_numpy(teacher), weight, temperature=temperature),
        student,
    )
    given = (teacher, array(weight), temperature)
    close(value, loop(student, *given), 1e-8, 1e-2)
    if student.size <= 24 and name == pick(rng, tuple(OF_TEACHERS)):
        slopes = finite_differences(lambda z: loop(z, *given), student)
        close(gradient, slopes, 1e-6, 1.0)


OF_TEACHERS = {
    'kl': (teacher_divergence, distillation.teacher_divergence),
    'cwd': (channel_wise_divergence, distillation.channel_wise_divergence),
    'classes': (
        lambda *given, **options: correlation_losses(*given, **options)[0],
        lambda *given: distillation.correlation_losses(*given)[0],
    ),
    'pixels': (
        lambda *given, **options: correlation_losses(*given, **options)[1],
        lambda *given: distillation.correlation_losses(*given)[1],
    ),
}
