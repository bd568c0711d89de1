"""Figures computed once with the paper authors' own loss, in the folder `../shared`.

Both the package and the references are compared with them, so that neither is judged
by the other alone. Tolerances: the authors' one-hot label was float32, so hard cases
agree to 1e-6 of the largest number; soft cases were float64 throughout and agree to
1e-12. Their smoothed labels were float32 too: 1e-7. On float32 logits the softmax
itself rounds: 1e-5.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from mmseg_jml.functional.boundary import boundary_mask, smooth_target
from mmseg_jml.functional.jaccard import jaccard_loss
from mmseg_jml.functional.targets import one_hot, valid_mask
from tests.functional.cases import assert_close
from tests.reference import boundary as reference_boundary
from tests.reference import jaccard as reference
from tests.reference import targets as reference_targets

NUM_CASES = 96
NUM_CLASSES = 5
# the authors' two norms, in the paper's words: 1 counts the overlap by L1 norms,
# 2 by squared L2 norms, (|x|^2 + |y|^2 - |x - y|^2) / 2 = <x, y>
VARIANT_OF_NORM = {1: 'jml1', 2: 'sjl_l2'}
TOLERANCE = {'hard': 1e-6, 'bls': 1e-12, 'teacher': 1e-12}


class Golden(NamedTuple):
    """The arrays, and the 96 cases in words."""

    arrays: dict[str, np.ndarray]
    cases: list[dict]


@cache
def load(folder: Path) -> Golden:
    with np.load(folder / 'jdt_losses.npz') as arrays:
        return Golden(
            dict(arrays), json.loads((folder / 'jdt_losses.json').read_text())
        )


@pytest.fixture(scope='module')
def golden(shared_dir: Path) -> Golden:
    folder = shared_dir / 'golden'
    if not folder.is_dir():
        pytest.skip('no folder `golden` in `../shared`')
    return load(folder)


def options_of(case: dict) -> dict:
    """A case in the package's words; class weights apart."""
    same = ('threshold', 'alpha', 'beta', 'gamma', 'log_loss', 'smooth')
    shares = {'batch': case['batch'], 'image': case['image'], 'per_class': case['cls']}
    return {
        'variant': VARIANT_OF_NORM[case['norm']],
        'active_classes': case['active'],
        'reduction': shares,
        **{name: case[name] for name in same},
    }


def target_of(golden: Golden, case: dict) -> np.ndarray:
    if case['target'] == 'hard':
        return reference_targets.one_hot(golden.arrays['label'], NUM_CLASSES)
    name = {'bls': 'bls_k3_eps0.5', 'teacher': 'teacher'}[case['target']]
    return golden.arrays[name]


def assert_golden(golden: Golden, index: int, loss: float, gradient: np.ndarray):
    case = golden.cases[index]
    tolerance = TOLERANCE[case['target']]
    assert_close(loss, case['loss'], tolerance)
    assert_close(gradient, golden.arrays['grads'][index], tolerance)


def test_every_golden_case_is_compared(golden):
    assert len(golden.cases) == len(golden.arrays['grads']) == NUM_CASES


@pytest.mark.parametrize('index', range(NUM_CASES))
def test_the_loss_and_its_gradient_are_the_authors(golden, index):
    case = golden.cases[index]
    logits = torch.tensor(golden.arrays['logits'], requires_grad=True)
    weight = valid_mask(torch.tensor(golden.arrays['label'])).double()
    class_weight = case['class_weight'] and torch.tensor(case['class_weight'])
    loss = jaccard_loss(
        logits.softmax(1),
        torch.tensor(target_of(golden, case)),
        weight,
        class_weight=class_weight,
        **options_of(case),
    )
    (gradient,) = torch.autograd.grad(loss, logits)
    assert_golden(golden, index, loss.item(), gradient.numpy())


@pytest.mark.parametrize('index', range(NUM_CASES))
def test_the_reference_and_its_gradient_are_the_authors(golden, index):
    case = golden.cases[index]
    loss, gradient = reference.jaccard_loss_from_logits(
        golden.arrays['logits'],
        target_of(golden, case),
        reference_targets.valid_mask(golden.arrays['label']).astype(float),
        class_weight=case['class_weight'],
        **options_of(case),
    )
    assert_golden(golden, index, loss, gradient)


@pytest.mark.parametrize('kernel_size', [3, 5])
def test_the_boundary_is_the_authors_bit_for_bit(golden, kernel_size):
    label, expected = golden.arrays['label'], golden.arrays[f'boundary_k{kernel_size}']
    mask = boundary_mask(torch.tensor(label), kernel_size)
    loops = reference_boundary.boundary_mask(label, kernel_size)
    np.testing.assert_array_equal(mask.numpy(), expected)
    np.testing.assert_array_equal(loops, expected)


@pytest.mark.parametrize('epsilon', [0.1, 0.5])
@pytest.mark.parametrize('kernel_size', [3, 5])
def test_smoothed_labels_are_the_authors(golden, kernel_size, epsilon):
    expected = golden.arrays[f'bls_k{kernel_size}_eps{epsilon}']
    label = torch.tensor(golden.arrays['label'])
    epsilon_map = epsilon * boundary_mask(label, kernel_size).float()
    smoothed = smooth_target(one_hot(label, NUM_CLASSES), epsilon_map)
    loops = reference_boundary.boundary_label_smoothing(
        label.numpy(), NUM_CLASSES, kernel_size, epsilon
    )
    np.testing.assert_allclose(smoothed.numpy(), expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(loops, expected, rtol=0, atol=1e-7)


def test_the_loss_on_float32_logits_stays_within_float32_of_the_authors(golden):
    for index, case in enumerate(golden.cases):
        logits = torch.tensor(golden.arrays['logits'], dtype=torch.float32)
        label = torch.tensor(golden.arrays['label'])
        target = torch.tensor(target_of(golden, case), dtype=torch.float32)
        class_weight = case['class_weight'] and torch.tensor(case['class_weight'])
        loss = jaccard_loss(
            logits.softmax(1),
            target,
            valid_mask(label).float(),
            class_weight=class_weight,
            **options_of(case),
        )
        assert_close(loss.item(), golden.cases[index]['loss'], 1e-5)
