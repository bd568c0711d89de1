"""What is wrong with the masks of a dataset taken together."""

import pytest
from mmengine.dataset import ConcatDataset

from mmseg_jml.datasets import check_dataset
from tests.datasets.check_cases import make, problems

TWO = {'metainfo': {'classes': ('ground', 'cat')}}


@pytest.mark.parametrize(
    ('masks', 'sentence'),
    [
        ([[0, 255]] * 3, 'every mask holds only 0 and 255, but 255 means ignored'),
        ([[0, 1], [0, 255], [0, 1]], r'1 of 3 masks hold only 0 and 255.*001\.png'),
        ([[0, 1], [0, 255], [255]], r'2 of 3 masks hold only 0 and 255'),
        ([[0], [0], [0, 255, 0]], r'1 of 3 masks hold only 0 and 255'),
        ([[0], [0]], 'all labelled pixels of 2 masks belong to class 0, one of 2'),
        ([[1, 255], [1]], 'all labelled pixels of 2 masks belong to class 1, one of 2'),
    ],
)
def test_masks_that_only_together_are_wrong_are_refused(tmp_path, masks, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_dataset(make(tmp_path, masks, **TWO))


def test_masks_together_are_not_judged_by_a_sample_but_warned_of(tmp_path):
    dataset = make(tmp_path, [[0]] * 40, **TWO)
    with pytest.warns(UserWarning, match='in the masks that were read: all labelled'):
        check_dataset(dataset)


def test_a_folder_without_the_object_passes_beside_one_that_has_it(tmp_path):
    for name, masks in (('a', [[0], [0]]), ('b', [[0, 1]])):
        (tmp_path / name).mkdir()
        make(tmp_path / name, masks, **TWO)
    leaves = [make(tmp_path / name, [], **TWO) for name in 'ab']
    assert problems(ConcatDataset(leaves)) == []


@pytest.mark.parametrize(
    'masks',
    [
        [[0, 1, 2], [0, 255]],  # several classes, of which an image may lack all
        [[0, 1], [255]],  # an image that is ignored as a whole
    ],
)
def test_an_ignored_border_is_not_called_white(tmp_path, masks):
    assert problems(make(tmp_path, masks)) == []


def test_where_255_is_ignored_elsewhere_a_black_and_white_mask_is_a_warning(tmp_path):
    dataset = make(tmp_path, [[0, 1, 255], [0, 255]], **TWO)
    with pytest.warns(UserWarning, match=r'hold only 0 and 255.*001\.png; if white'):
        check_dataset(dataset)
