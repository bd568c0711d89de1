import io

import numpy as np
import pytest
from PIL import Image

from mmseg_jml.visualization import label_sheet, paint_label
from mmseg_jml.visualization.label_sheet import LONGEST_SIDE

PALETTE = [(200, 100, 0), (0, 100, 200), (9, 9, 9)]
CLASSES = ['a', 'b', 'c']
LABEL = np.array([[0, 1, 1], [0, 255, 1]])
PICTURE = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14


def sheet(pictures=(PICTURE,), labels=(LABEL,), classes=CLASSES, palette=PALETTE):
    return label_sheet(pictures, labels, classes=classes, palette=palette)


def shown(axes):
    return axes.images[0].get_array()


def test_a_row_shows_picture_mean_and_label():
    axes = sheet().axes
    painted = paint_label(LABEL, PALETTE)
    np.testing.assert_array_equal(shown(axes[0]), PICTURE)
    np.testing.assert_array_equal(shown(axes[2]), painted)
    mean = (PICTURE.astype(float) + painted) / 2
    np.testing.assert_allclose(shown(axes[1]), mean, atol=1)


def test_there_is_a_row_a_picture():
    assert len(sheet([PICTURE] * 4, [LABEL] * 4).axes) == 12


def test_the_legend_has_the_classes_that_occur():
    (legend,) = sheet().legends
    assert [text.get_text() for text in legend.get_texts()] == ['a', 'b', 'ignored']


def test_large_pictures_are_thinned_out():
    picture = np.zeros((700, 2000, 3), np.uint8)
    axes = sheet([picture], [np.zeros((700, 2000), int)]).axes
    assert max(shown(axes[0]).shape) <= LONGEST_SIDE
    assert shown(axes[0]).shape == shown(axes[2]).shape


def test_it_can_be_saved():
    buffer = io.BytesIO()
    sheet().savefig(buffer)
    assert Image.open(buffer).format == 'PNG'


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        ({'pictures': [], 'labels': []}, 'at least 1, got 0 and 0'),
        ({'labels': [LABEL] * 2}, 'the same length, at least 1, got 1 and 2'),
        ({'labels': [LABEL.T]}, r"its image's size \(2, 3\), got \(3, 2\)"),
        ({'labels': [LABEL + 3]}, 'ids from 0 to 2 or 255'),
        ({'palette': PALETTE[:2]}, 'a colour for each of the 3 `classes`, got 2'),
    ],
)
def test_what_does_not_fit_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        sheet(**change)
