import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mmseg_jml.visualization.bands import Band, Panel, band_panels
from mmseg_jml.visualization.series import COLOURS, MARKERS, colour, line, marker

X = np.array([50, 100])
BAND = Band(X, np.array([1.0, 2.0]), np.array([0.5, 1.5]), np.array([1.5, 2.5]))


def test_a_line_is_the_mean_within_its_band():
    axes = band_panels({'loss': Panel({'CE': BAND}, 'iteration')}).axes[0]
    (mean,) = axes.lines
    assert mean.get_ydata().tolist() == [1, 2]
    corners = axes.collections[0].get_paths()[0].vertices
    assert {0.5, 1.5, 2.5} == set(corners[:, 1])


def test_a_kind_has_one_colour_in_all_panels():
    panels = {
        'mIoU': Panel({'JML': BAND}, 'epoch'),
        'loss': Panel({'CE': BAND, 'JML': BAND}, 'iteration'),
    }
    mine, _, other = (
        drawn for axes in band_panels(panels).axes for drawn in axes.lines
    )
    assert mine.get_label() == other.get_label() == 'JML'
    assert mine.get_color() == other.get_color()


def test_each_kind_is_once_in_the_legend():
    panels = {name: Panel({'CE': BAND, 'JML': BAND}, 'x') for name in ('a', 'b')}
    (legend,) = band_panels(panels).legends
    assert [text.get_text() for text in legend.texts] == ['CE', 'JML']


@pytest.mark.parametrize('panels', [1, 2])
@pytest.mark.parametrize('number', [3, 16])
def test_long_names_do_not_leave_the_picture(panels, number):
    names = [f'DeepLabV3, MobileNetV2, JML-BLS, epsilon {i}' for i in range(number)]
    kinds = dict.fromkeys(names, BAND)
    figure = band_panels({str(i): Panel(kinds, 'x') for i in range(panels)})
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.axes[0].get_window_extent().y0


def test_words_are_ticks_in_their_order():
    axes = band_panels({'a': Panel({'CE': BAND}, 'k', ticks=['3', 'inf'])}).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ['3', 'inf']


def test_a_level_goes_across():
    panel = Panel({'BLS': BAND}, 'epsilon', levels={'CE': 1.25})
    level = band_panels({'a': panel}).axes[0].lines[-1]
    assert (level.get_label(), level.get_ydata()[0]) == ('CE', 1.25)


@pytest.mark.parametrize('panels', [{}, {'a': Panel({}, 'x')}])
def test_no_band_is_refused(panels):
    with pytest.raises(ValueError, match='`panels` must hold at least one'):
        band_panels(panels)


def test_many_kinds_can_be_told_apart():
    assert len({(colour(i), line(i)) for i in range(4 * len(COLOURS))}) == 32
    pairs = {(colour(i), marker(i)) for i in range(len(COLOURS) * len(MARKERS))}
    assert len(pairs) == 56
