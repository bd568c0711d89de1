"""ConfusionMatrixMetric: its counts and its files."""

import csv
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.functional.classification import multiclass_confusion_matrix

from mmseg_jml.evaluation import ConfusionMatrixMetric
from tests.evaluation.cases import CLASSES, evaluate, sample, samples


def maps(pictures):
    """All predictions and labels, in one row each."""
    return (
        torch.cat([each[field]['data'].flatten().long() for each in pictures])
        for field in ('pred_sem_seg', 'gt_sem_seg')
    )


@pytest.fixture
def evaluated(tmp_path):
    metric = ConfusionMatrixMetric(output_dir=str(tmp_path))
    pictures = samples()
    found = evaluate(metric, [pictures[:2], pictures[2:]])
    return metric, pictures, found, tmp_path


def test_the_counts_are_those_of_torchmetrics(evaluated):
    metric, pictures, _, _ = evaluated
    expected = multiclass_confusion_matrix(*maps(pictures), 4, ignore_index=255)
    assert np.array_equal(metric.counts, expected.numpy())


def test_the_csv_has_the_counts_by_label(evaluated):
    metric, _, _, folder = evaluated
    with (folder / 'confusion_matrix.csv').open() as file:
        head, *rows = csv.reader(file)
    assert head == ['label', *CLASSES]
    assert [row[0] for row in rows] == list(CLASSES)
    assert np.array_equal(np.array([row[1:] for row in rows], int), metric.counts)


def test_the_page_has_the_shares_of_each_label(evaluated):
    metric, _, _, folder = evaluated
    lines = (folder / 'confusion_matrix.md').read_text().splitlines()
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines[4:]]
    rows = {row[0]: row[1:] for row in rows if row}
    for c, name in enumerate(CLASSES):
        total = metric.counts[c].sum()
        assert rows[name][0] == str(total)
        shares = [f'{100 * n / total:.1f}' if total else '' for n in metric.counts[c]]
        assert rows[name][1:] == shares


def test_the_figure_can_be_opened(evaluated):
    with Image.open(evaluated[-1] / 'confusion_matrix.png') as image:
        assert np.asarray(image).std() > 10


def test_there_is_no_figure_to_log(evaluated):
    assert evaluated[2] == {}


def test_an_entry_of_150_classes_is_as_small_as_what_it_confuses():
    metric = ConfusionMatrixMetric()
    metric.dataset_meta = {'classes': range(150)}
    label = torch.arange(150).repeat(20, 1)
    logits = torch.nn.functional.one_hot(label, 150).permute(2, 0, 1).float()
    metric.process({}, [sample(logits, label)])
    assert len(pickle.dumps(metric.results, protocol=2)) < 2048


def test_the_entries_of_other_ranks_may_be_plain_tuples(evaluated):
    metric, pictures, _, _ = evaluated
    before = metric.counts
    metric.process({}, pictures)
    metric.compute_metrics([tuple(entry) for entry in metric.results])
    assert np.array_equal(metric.counts, before)


def test_a_head_of_one_channel_has_two_classes(tmp_path):
    probs, label = torch.tensor([[[0.1, 0.4, 0.9]]]), torch.tensor([[0, 0, 1]])
    metric = ConfusionMatrixMetric(output_dir=str(tmp_path))
    evaluate(metric, [[sample(probs, label)]], classes=('ground', 'lesion'))
    assert metric.counts.tolist() == [[1, 1], [0, 1]]
