import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mmseg_jml.visualization.trade_off import trade_off


def draw(kinds):
    return trade_off(kinds, xlabel='ECE', ylabel='mIoU')


def test_the_large_point_is_the_mean_of_the_small():
    small, large = draw({'JML': [(1.0, 40.0), (3.0, 42.0)]}).axes[0].lines
    assert list(small.get_xdata()) == [1, 3]
    assert (large.get_xdata()[0], large.get_ydata()[0]) == (2, 41)
    assert large.get_markersize() > small.get_markersize()


def test_one_run_is_one_point():
    (point,) = draw({'JML': [(1.0, 40.0)]}).axes[0].lines
    assert point.get_label() == 'JML'


def test_many_long_names_leave_room_for_the_points():
    figure = draw({f'DeepLabV3, R-18, JML-BLS {i}': [(1.0, 40.0)] for i in range(26)})
    FigureCanvasAgg(figure).draw()
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
    assert figure.axes[0].get_window_extent().x1 <= box.x0
    assert figure.axes[0].get_window_extent().width > 300


@pytest.mark.parametrize('kinds', [{}, {'JML': []}])
def test_no_run_is_refused(kinds):
    with pytest.raises(ValueError, match='`kinds` must hold at least one'):
        draw(kinds)
