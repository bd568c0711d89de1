import numpy as np
import pytest

from mmseg_jml.experiments.plan.plan import Cell, Plan
from mmseg_jml.experiments.report.comparison import compare, read_counts, summarize_cell
from mmseg_jml.experiments.report.records import read_runs
from tests.experiments.folders import CLASSES, areas_of, write_run

OTHER_NAMES = [f'other-{i}.png' for i in range(20)]


@pytest.fixture
def read(tmp_path):
    """The runs of cells a and b in `tmp_path`, and their counts."""

    def read_both(seeds=(0, 1), folds=()):
        cells = tuple(Cell(name=name, title=name, config='a.py') for name in 'ab')
        plan = Plan(name='plan', cells=cells, seeds=seeds, folds=folds)
        runs = read_runs(plan, tmp_path)
        return runs['a'], runs['b'], read_counts([*runs['a'], *runs['b']])

    return read_both


def write_cells(tmp_path, names=('seed-0', 'seed-1'), *, skill=(0.7, 0.8)):
    for i, cell in enumerate('ab'):
        for seed, name in enumerate(names):
            areas = areas_of(10 * i + seed, skill=skill[i])
            write_run(tmp_path / cell / name, areas, ece=1 + 2 * i + seed)


def test_a_difference_is_that_of_the_means(tmp_path, read):
    write_cells(tmp_path)
    a, b, counts = read()
    means = [summarize_cell(runs, counts).figures for runs in (a, b)]
    found = compare(b, a, counts)
    for name, change in found.changes.items():
        expected = means[1][name].mean - means[0][name].mean
        assert change.value == pytest.approx(expected, abs=1e-9)
    assert found.changes['mIoU'].low < found.changes['mIoU'].value
    assert found.changes['mIoU'].value < found.changes['mIoU'].high
    assert set(found.classes) == set(CLASSES)
    assert found.remark == ''


def test_what_has_no_sums_of_pictures_has_no_interval(tmp_path, read):
    write_cells(tmp_path)
    a, b, counts = read()
    assert compare(b, a, counts).changes['ECE'] == (pytest.approx(2), None, None)


def test_identical_runs_differ_by_exactly_nothing(tmp_path, read):
    for cell in 'ab':
        for seed in range(2):
            write_run(tmp_path / cell / f'seed-{seed}', areas_of(seed))
    a, b, counts = read()
    found = compare(b, a, counts)
    estimates = [*found.changes.values(), *found.classes.values()]
    assert {tuple(each) for each in estimates} == {(0, 0, 0), (0, None, None)}
    assert found.changes['mIoU'] == (0, 0, 0)


def test_the_order_of_pictures_in_a_file_does_not_matter(tmp_path, read):
    write_cells(tmp_path)
    a, b, counts = read()
    expected = compare(b, a, counts)
    names = [f'{i:03}.png' for i in range(20)]
    order = np.random.default_rng(0).permutation(20)
    intersection, union = (part[order] for part in areas_of(10, skill=0.8))
    mixed = [names[i] for i in order]
    write_run(tmp_path / 'b/seed-0', (intersection, union), ece=3, names=mixed)
    a, b, counts = read()
    assert compare(b, a, counts) == expected


def test_differences_of_runs_are_of_the_same_seed(tmp_path, read):
    write_cells(tmp_path)
    (tmp_path / 'b' / 'seed-0').rename(tmp_path / 'b' / 'seed-2')
    a, b, counts = read(seeds=(0, 1, 2))
    found = compare(b, a, counts)
    # Only seed 1 is of both: 4 - 2, 1 and 5 are of the others.
    assert found.of_runs['ECE'] == [2]
    assert found.changes['ECE'].value == 2
    assert found.remark == 'without seed 2; seed 0'


def test_without_a_common_seed_the_means_are_compared(tmp_path, read):
    write_cells(tmp_path, ['seed-0'])
    (tmp_path / 'b' / 'seed-0').rename(tmp_path / 'b' / 'seed-1')
    a, b, counts = read()
    found = compare(b, a, counts)
    assert found.of_runs == {}
    assert found.changes['ECE'].value == 2
    assert found.remark == 'the seeds differ from those of the baseline'


def test_other_pictures_are_not_compared(tmp_path, read):
    write_cells(tmp_path)
    write_run(tmp_path / 'b/seed-1', areas_of(11), names=OTHER_NAMES)
    a, b, counts = read()
    found = compare(b, a, counts)
    assert not found.changes
    assert not found.of_runs
    assert not found.classes
    assert found.remark.startswith('not compared: the test sets differ: 40 images')
    assert not summarize_cell(b, counts).intervals


def test_other_labels_are_not_compared(tmp_path, read):
    write_cells(tmp_path)
    write_run(tmp_path / 'b/seed-1', areas_of(11, pixels=500))
    a, b, counts = read()
    assert compare(b, a, counts).remark.startswith('not compared: the labels differ')


def test_a_run_without_counts_leaves_differences_without_intervals(tmp_path, read):
    write_cells(tmp_path)
    for path in tmp_path.glob('b/seed-1/test/*/*.csv'):
        path.unlink()
    a, b, counts = read()
    found = compare(b, a, counts)
    assert found.changes['mIoU'].low is None
    assert found.remark.startswith('no intervals, and the test images may differ')
    assert 'b, seed 1 has no pixel counts for its images' in found.remark


def test_broken_counts_are_no_counts(tmp_path, read):
    write_cells(tmp_path)
    for path in tmp_path.glob('b/seed-1/test/*/*.csv'):
        path.write_text('name\n')
    a, b, counts = read()
    assert 'b, seed 1: ' in compare(b, a, counts).remark


def test_a_cell_without_a_finished_run_is_not_compared(tmp_path, read):
    write_run(tmp_path / 'a/seed-0', areas_of(0))
    a, b, counts = read()
    assert compare(b, a, counts).remark == 'there is no finished run of both'
    assert summarize_cell(b, counts).figures == {}


def test_folds_are_compared_where_both_have_them(tmp_path, read):
    write_cells(tmp_path, ['fold-0', 'fold-1', 'fold-2'])
    for i, cell in enumerate('ab'):  # each fold has pictures of its own
        names = [f'other-{n}.png' for n in range(20)]
        write_run(tmp_path / cell / 'fold-1', areas_of(i), names=names)
    (tmp_path / 'a' / 'fold-2' / 'run.json').write_text('{"state": "failed"}')
    a, b, counts = read(seeds=(), folds=(0, 1, 2))
    found = compare(b, a, counts)
    assert found.remark == 'without fold 2'
    assert len(found.of_runs['mIoU']) == 2
    assert found.changes['mIoU'].low is not None
    assert summarize_cell(b, counts).pictures == 60


def test_a_fold_with_fewer_seeds_weighs_as_much_as_another(tmp_path, read):
    # One method, of which a seed is missing in fold 1 of `b`.
    for cell, seeds in (('a', (0, 1)), ('b', (0,))):
        for fold in range(2):
            for seed in (0, 1) if fold == 0 else seeds:
                areas = areas_of(fold, skill=0.6 + 0.3 * fold)
                folder = tmp_path / cell / f'fold-{fold}_seed-{seed}'
                write_run(folder, areas, ece=1 + fold)
    a, b, counts = read(folds=(0, 1))
    found = compare(b, a, counts)
    assert found.changes['mIoU'] == (0, 0, 0)
    means = [summarize_cell(runs, counts).figures['ECE'].mean for runs in (a, b)]
    assert means == [1.5, 1.5]
    assert found.changes['ECE'].value == 0
