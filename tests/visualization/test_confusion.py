import numpy as np
import pytest

from mmseg_jml.visualization import confusion_figure


def test_each_row_of_the_figure_adds_up_to_all_pixels_of_its_label():
    counts = np.random.default_rng(0).integers(0, 90, (5, 5))
    counts[2] = 0
    image = confusion_figure(counts, list('abcde')).axes[0].images[0]
    shares = np.ma.filled(image.get_array(), np.nan)
    np.testing.assert_allclose(shares[[0, 1, 3, 4]].sum(1), 100)
    assert np.isnan(shares[2]).all()


def test_many_classes_show_colours_alone():
    names = [f'class {i}' for i in range(150)]
    axes = confusion_figure(np.eye(150, dtype=int), names).axes[0]
    assert not axes.texts
    assert [text.get_text() for text in axes.get_yticklabels()] == names


def test_counts_of_other_classes_are_refused():
    with pytest.raises(ValueError, match=r'must be \(2, 2\), as there are 2 classes'):
        confusion_figure(np.eye(3, dtype=int), ['a', 'b'])
