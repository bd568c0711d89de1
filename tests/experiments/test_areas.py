import numpy as np
import pytest
import torch

from mmseg_jml.evaluation.entries import ImageEntry
from mmseg_jml.evaluation.fine_grained_iou import pack_areas
from mmseg_jml.evaluation.per_image import rows
from mmseg_jml.experiments.report.areas import mismatch, read_areas
from mmseg_jml.files import write_csv
from mmseg_jml.functional import class_areas
from tests.experiments.folders import areas_of, write_test


def read(tmp_path, areas, run='a', **options):
    folder = write_test(tmp_path / run, {}, areas, **options)
    return read_areas(folder / 'calib_per_image.csv')


def test_what_the_metric_writes_is_read_exactly(tmp_path):
    generator = torch.Generator().manual_seed(0)
    label, prediction = torch.randint(3, (2, 4, 50), generator=generator)
    label[:, :5] = 255
    areas = class_areas(prediction, label, 3)
    parts = [type(areas)(*(part[i : i + 1] for part in areas)) for i in range(4)]
    entries = [
        ImageEntry(f'{i}.png', None, None, areas=pack_areas(part))
        for i, part in enumerate(parts)
    ]
    classes = ['sky', 'traffic light, "red"', 'x.y']
    write_csv(tmp_path / 'a.csv', rows(entries, classes, {}))
    found = read_areas(tmp_path / 'a.csv')
    assert found.classes == tuple(classes)
    assert found.names == ('0.png', '1.png', '2.png', '3.png')
    assert torch.equal(found.intersection, areas.intersection.double())
    union = areas.prediction + areas.label - areas.intersection
    assert torch.equal(found.union, union.double())
    assert found.pixels().tolist() == [45] * 4


def test_the_order_of_pictures_does_not_matter(tmp_path):
    intersection, union = areas_of(0)
    names = [f'{i:03}.png' for i in range(len(union))]
    order = np.random.default_rng(0).permutation(len(union))
    mixed = intersection[order], union[order]
    first = read(tmp_path, (intersection, union))
    second = read(tmp_path, mixed, 'b', names=[names[i] for i in order])
    assert mismatch(first, second) is None
    assert first.names == second.names
    assert (first.intersection == second.intersection).all()


def test_runs_of_the_same_test_do_not_mismatch(tmp_path):
    assert (
        mismatch(read(tmp_path, areas_of(0)), read(tmp_path, areas_of(1), 'b')) is None
    )


def test_other_pictures_mismatch(tmp_path):
    names = [f'{i:03}.png' for i in range(1, 21)]
    other = read(tmp_path, areas_of(1), 'b', names=names)
    assert '2 images are in only one of them' in mismatch(
        read(tmp_path, areas_of(0)), other
    )


def test_other_classes_mismatch(tmp_path):
    other = read(tmp_path, areas_of(1), 'b', classes=('sky', 'road', 'bus'))
    assert mismatch(read(tmp_path, areas_of(0)), other) == 'the classes differ'


def test_other_labels_of_the_same_pictures_mismatch(tmp_path):
    other = read(tmp_path, areas_of(1, pixels=900), 'b')
    assert mismatch(read(tmp_path, areas_of(0)), other).startswith('the labels differ')


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda text: '', 'has no image or no column union.<class>'),
        (lambda text: text.splitlines()[0], 'has no image'),
        (lambda text: text.replace('union.sky', 'sky'), 'for the same classes'),
        (lambda text: text.replace('intersection.sky', 'sky'), 'for the same classes'),
        (lambda text: text.replace('001.png', '000.png'), "with the name '000.png'"),
        (lambda text: text.replace('003.png,', '003.png,many'), 'many'),
        (lambda text: text[: text.index('005.png') + 9], 'a.csv'),
        (lambda text: text.replace('name', 'file'), "'name'"),
    ],
)
def test_another_file_is_refused(tmp_path, change, words):
    source = write_test(tmp_path, {}, areas_of(0)) / 'calib_per_image.csv'
    path = tmp_path / 'a.csv'
    path.write_text(change(source.read_text()))
    with pytest.raises(ValueError, match=words):
        read_areas(path)
