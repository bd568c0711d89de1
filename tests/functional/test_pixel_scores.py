import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from mmseg_jml.functional import (
    bin_table,
    binary_scores,
    calibration,
    classwise_tables,
    expected_calibration_error,
    merge_tables,
    pixel_scores,
    softmax_scores,
)
from mmseg_jml.functional.calibration import BinTable
from tests.functional.cases import laws, seeds
from tests.reference import calibration as reference

SHAPES = ((2, 3, 4, 5), (1, 19, 3, 7), (3, 2, 1, 6), (2, 5, 9))


def case(seed, shape, dtype=torch.float64):
    """Logits (N,C,*), some of them alike, and a label with ignored pixels."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 4, shape).round(int(rng.integers(0, 3))))
    label = torch.from_numpy(rng.integers(0, shape[1], (shape[0], *shape[2:])))
    ignored = torch.from_numpy(rng.random(label.shape) < 0.2)
    return logits.to(dtype), label.masked_fill(ignored, 255)


def valid_scores(scores, label):
    return [part[label != 255] for part in scores]


def table_at(tables, place):
    return BinTable(*(part[place] for part in tables))


@pytest.mark.parametrize('shape', SHAPES)
@given(seed=seeds)
@laws
def test_scores_are_those_of_each_pixel(shape, seed):
    logits, label = case(seed, shape)
    expected = reference.pixel_scores(logits.numpy(), label.numpy())
    found = valid_scores(softmax_scores(logits, label), label)
    for ours, theirs in zip(found, zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(ours.double(), theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_lower_precision_is_computed_in_float32(dtype):
    logits, label = case(5, (2, 7, 8, 9), dtype)
    found = softmax_scores(logits, label)
    exact = softmax_scores(logits.double(), label)
    assert found.confidence.dtype == torch.float32
    for ours, theirs in zip(found, exact, strict=True):
        assert_close(ours.double(), theirs.double(), rtol=1e-5, atol=1e-5)


@given(seed=seeds, start=st.integers(0, 500))
@laws
def test_a_pixels_scores_do_not_depend_on_where_it_lies(seed, start):
    logits, label = case(seed, (1, 7, 700), torch.float32)
    whole = softmax_scores(logits, label)
    part = slice(start, start + 1 + seed % 150)
    cut = softmax_scores(logits[..., part], label[..., part])
    for ours, theirs in zip(cut, whole, strict=True):
        assert torch.equal(ours, theirs[..., part])


@pytest.mark.parametrize(('block', 'piece'), [(1, 1), (35, 4), (300, 64)])
def test_blocks_and_pieces_change_nothing(block, piece, monkeypatch):
    logits, label = case(3, (2, 5, 10, 11), torch.float32)
    whole = softmax_scores(logits, label), classwise_tables(logits, label)
    monkeypatch.setattr(pixel_scores, 'BLOCK', block)
    monkeypatch.setattr(calibration, 'PIECE', piece)
    cut = softmax_scores(logits, label), classwise_tables(logits, label)
    for ours, theirs in zip(cut, whole, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert_close(a, b, rtol=0, atol=1e-12)


def test_a_decided_class_is_scored_instead_of_the_largest():
    logits, label = case(4, (2, 5, 10, 11))
    prediction = (logits.argmax(1) + 1) % 5
    found = softmax_scores(logits, label, prediction)
    probs = logits.softmax(1)
    assert_close(found.confidence, probs.gather(1, prediction[:, None])[:, 0])
    assert torch.equal(found.correct, prediction == label.where(label != 255, 0))


def test_nll_is_cross_entropy():
    logits, label = case(6, (2, 5, 10, 11))
    nll = softmax_scores(logits, label).nll
    expected = F.cross_entropy(logits, label, ignore_index=255, reduction='none')
    assert_close(nll[label != 255], expected[label != 255])


def test_extreme_logits_stay_exact():
    logits = torch.tensor([[[1e4], [-1e4], [float('-inf')]]])
    scores = softmax_scores(logits.expand(2, -1, -1), torch.tensor([[0], [1]]))
    assert scores.confidence.tolist() == [[1.0], [1.0]]
    assert scores.nll.tolist() == [[0.0], [2e4]]
    assert scores.brier.tolist() == [[0.0], [2.0]]


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_logits_that_are_no_numbers_are_refused(bad):
    logits = torch.zeros(1, 2, 3)
    logits[0, 1, 2] = bad
    with pytest.raises(ValueError, match='`logits` must be finite'):
        softmax_scores(logits, torch.zeros(1, 3).long())


@pytest.mark.parametrize('score', [softmax_scores, classwise_tables])
def test_a_label_that_is_no_class_is_refused(score):
    with pytest.raises(ValueError, match=r'`label` must be a class below 2 .*got 7'):
        score(torch.zeros(1, 2, 1), torch.tensor([[7]]))


@pytest.mark.parametrize('shape', [(2, 4, 3, 5), (1, 2, 9)])
@pytest.mark.parametrize('num_bins', [1, 10])
@given(seed=seeds)
@laws
def test_classwise_tables_are_those_of_each_class(shape, num_bins, seed):
    logits, label = case(seed, shape)
    tables = classwise_tables(logits, label, num_bins=num_bins)
    for c in range(shape[1]):
        probs = logits.softmax(1)[:, c][label != 255]
        alone = bin_table(probs, (label == c)[label != 255], num_bins=num_bins)
        for ours, theirs in zip(table_at(tables, c), alone, strict=True):
            assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_classwise_errors_are_the_references():
    logits, label = case(9, (2, 4, 6, 5))
    tables = classwise_tables(logits, label)
    found = [expected_calibration_error(table_at(tables, c)) for c in range(4)]
    expected = reference.classwise_errors(logits.numpy(), label.numpy(), 10)
    assert found == pytest.approx(expected, rel=0, abs=1e-10)


def calibrated(blocks):
    """Pixels whose label has each class as often as their probabilities say."""
    rng = np.random.default_rng(0)
    counts = rng.multinomial(20, rng.dirichlet(np.ones(4)), blocks)
    probs = torch.from_numpy(np.repeat(counts / 20, 20, axis=0))
    label = torch.from_numpy(np.concatenate([np.repeat(range(4), c) for c in counts]))
    return probs.T[None].log(), label[None]


def test_a_calibrated_model_has_no_error():
    logits, label = calibrated(500)
    scores = softmax_scores(logits, label)
    top = bin_table(scores.confidence, scores.correct)
    classes = classwise_tables(logits, label)
    errors = [expected_calibration_error(table_at(classes, c)) for c in range(4)]
    assert expected_calibration_error(top) == pytest.approx(0, abs=1e-12)
    assert errors == pytest.approx([0] * 4, abs=1e-12)


def test_the_error_of_drawn_labels_goes_to_zero():
    generator = torch.Generator().manual_seed(0)
    errors = []
    for number in (1000, 100_000):
        logits = torch.randn(number, 4, generator=generator)
        label = torch.multinomial(logits.softmax(1), 1, generator=generator)
        scores = softmax_scores(logits.T[None], label.T)
        table = bin_table(scores.confidence, scores.correct)
        errors.append(expected_calibration_error(table))
    assert errors[1] < 0.005
    assert errors[1] < errors[0] / 3


def test_a_binary_head_scores_as_two_classes_do():
    logits, label = case(11, (2, 2, 5, 6))
    probs = logits.softmax(1)[:, 1:]
    two, one = softmax_scores(logits, label), binary_scores(probs, label)
    valid = label != 255
    for a, b in zip(valid_scores(two, label), valid_scores(one, label), strict=True):
        assert_close(a, b, rtol=0, atol=1e-9)
    ours, theirs = classwise_tables(probs, label), classwise_tables(logits, label)
    assert ours.count.sum() == 2 * valid.sum()
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a.sum(1), b.sum(1), rtol=0, atol=1e-10)


def binary_population():
    """Foreground probabilities k/20 and labels that are foreground as often."""
    k = torch.arange(1, 20).repeat_interleave(20)
    label = torch.arange(20).repeat(19) < k
    return (k.double() / 20)[None, None], label.long()[None]


@pytest.mark.parametrize('threshold', [0.3, 0.5, 0.8])
def test_a_calibrated_binary_head_has_no_error_at_any_threshold(threshold):
    probs, label = binary_population()
    scores = binary_scores(probs, label, probs[:, 0] > threshold)
    table = bin_table(scores.confidence, scores.correct, num_bins=20)
    assert expected_calibration_error(table) == pytest.approx(0, abs=1e-12)


def test_the_larger_probability_is_no_confidence_in_another_decision():
    probs, label = binary_population()
    decision = probs[:, 0] > 0.3
    larger = torch.maximum(probs, 1 - probs)[:, 0]
    table = bin_table(larger, decision == (label > 0), num_bins=20)
    assert expected_calibration_error(table) == pytest.approx(12 / 380)


def test_a_saturated_sigmoid_costs_a_hundred_nats():
    probs = torch.tensor([[[0.0, 1.0, 1.0]]])
    scores = binary_scores(probs, torch.tensor([[1, 0, 1]]))
    assert scores.nll.tolist() == [[100.0, 100.0, 0.0]]


def test_raw_logits_of_a_binary_head_are_refused():
    with pytest.raises(ValueError, match=r'`probs` must be in \[0,1\].*got \[-3, 4\]'):
        binary_scores(torch.tensor([[[-3.0, 4.0]]]), torch.zeros(1, 2).long())


def test_pictures_add_up():
    logits, label = case(12, (4, 3, 5, 6), torch.float32)
    whole = classwise_tables(logits, label)
    parts = [classwise_tables(logits[i : i + 1], label[i : i + 1]) for i in range(4)]
    for ours, theirs in zip(merge_tables(parts), whole, strict=True):
        assert_close(ours, theirs, rtol=0, atol=1e-12)
