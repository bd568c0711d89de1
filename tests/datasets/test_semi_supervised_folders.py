"""Labelled and unlabelled images that lie in several folders."""

import pytest
from mmseg.registry import DATASETS

from mmseg_jml.datasets import (
    SemiSupervisedDataset,
    check_dataset,
)
from mmseg_jml.datasets.report import inspect_split
from mmseg_jml.files import UnreadableError
from tests.datasets.semi_cases import (
    CLASSES,
    config,
    half_labelled,
    plain,
    write_lists,
    write_pictures,
)


@pytest.fixture
def folder(tmp_path):
    return half_labelled(tmp_path / 'data')


def in_two_folders(folder, tmp_path):
    """A config whose labelled and unlabelled sets lie in two folders each."""
    other = write_pictures(tmp_path / 'other', 4)
    write_lists(other, [0], [1, 2, 3])
    given, more = config(folder), config(other)
    for kind in ('labelled', 'unlabelled'):
        parts = [given[kind], more[kind]]
        given[kind] = {'type': 'ConcatDataset', 'datasets': parts}
    return other, given


def test_several_folders_make_one_set(folder, tmp_path):
    other, given = in_two_folders(folder, tmp_path)
    check_dataset(given, num_classes=len(CLASSES))
    report = inspect_split('train', given)
    assert (report.problems, len(report.paths)) == ([], 8 + 4)
    dataset = DATASETS.build(given)
    assert (len(dataset.labelled), len(dataset.unlabelled)) == (3 + 1, 5 + 3)
    assert str(other) in dataset[3]['data_samples']['labelled'].img_path
    assert str(other) in dataset[11]['data_samples']['weak'].img_path


def test_a_repeated_set_counts_several_times(folder):
    given = config(folder)
    both = {'type': 'ConcatDataset', 'datasets': [given['labelled'], given['labelled']]}
    times = {'type': 'RepeatDataset', 'times': 4, 'dataset': both}
    dataset = DATASETS.build({**given, 'labelled': times})
    assert (len(dataset.labelled), len(dataset.unlabelled)) == (4 * 6, 5)
    paths = [dataset[i]['data_samples']['labelled'].img_path for i in (1, 4, 7)]
    assert len(set(paths)) == 1


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'ann_file': 'no.txt'},
            r'`labelled`: the dataset .* cannot be listed: .*no.txt',
        ),
        ({'data_prefix': {'img_path': 'img'}}, '`labelled` has no masks'),
        ({'img_suffix': '.tif', 'ann_file': ''}, r'`labelled`: no images \*\.tif'),
    ],
)
def test_one_folder_of_several_that_is_wrong_is_refused(
    folder, tmp_path, change, message
):
    _, given = in_two_folders(folder, tmp_path)
    given['labelled']['datasets'][1] |= change
    with pytest.raises(ValueError, match=message):
        DATASETS.build(given)


def test_an_unreadable_image_of_a_second_folder_is_named(folder, tmp_path):
    other, given = in_two_folders(folder, tmp_path)
    (other / 'img/002.png').write_bytes(b'')
    with pytest.raises(UnreadableError, match=f'{other}/img/002.png'):
        _ = DATASETS.build(given)[10]


def test_built_data_sets_are_taken(folder, tmp_path):
    other = write_pictures(tmp_path / 'other', 2)
    labelled, unlabelled = plain(folder), plain(other)
    dataset = SemiSupervisedDataset(labelled=labelled, unlabelled=unlabelled)
    assert dataset.datasets == (labelled, unlabelled)
    assert len(dataset) == 8 + 2
