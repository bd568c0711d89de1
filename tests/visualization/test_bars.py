import warnings

import pytest

from mmseg_jml.visualization.bars import BELOW, Bar, bar_panels

BARS = {
    'CE': Bar(44.0, 43.0, 45.0, points=[43.5, 44.5]),
    'JML': Bar(48.0, 47.0, 49.5, points=[47.0, 50.0]),
}


def draw(panels, **options):
    return bar_panels(panels, interval='95 %', points='a seed', **options)


def test_bars_begin_at_zero_and_end_at_their_value():
    axes = draw({'mIoU': BARS}).axes[0]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [
        (0, 44),
        (0, 48),
    ]
    low, high = axes.get_xlim()
    assert low == 0
    assert high > 50


def test_points_stand_at_their_values_beside_the_whisker():
    axes = draw({'mIoU': BARS}).axes[0]
    x, y = axes.lines[1].get_data()
    assert list(x) == [47, 50]
    assert set(y) == {1 + BELOW}


def test_a_row_without_a_bar_keeps_its_place():
    figure = draw({'mIoU': BARS, 'ECE': {'JML': Bar(7.0)}})
    (bar,) = figure.axes[1].patches
    assert bar.get_y() < 1 < bar.get_y() + bar.get_height()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        'CE',
        'JML',
    ]


@pytest.mark.parametrize(('signed', 'text'), [(False, '2.00'), (True, '+2.00')])
def test_a_difference_has_its_sign(signed, text):
    axes = draw({'mIoU': {'JML': Bar(2.0)}}, signed=signed).axes[0]
    assert axes.texts[0].get_text() == text


@pytest.mark.parametrize(('same', 'limits'), [(True, 1), (False, 2)])
def test_panels_of_one_measure_share_their_scale(same, limits):
    figure = draw({'a': {'x': Bar(1.0)}, 'b': {'x': Bar(-9.0)}}, same_scale=same)
    assert len({axes.get_xlim() for axes in figure.axes}) == limits


def test_the_legend_explains_what_is_drawn_alone():
    def labels(bar):
        legends = draw({'mIoU': {'CE': bar}}).legends
        return [text.get_text() for legend in legends for text in legend.texts]

    assert labels(Bar(1.0, 0.5, 1.5, points=[1.0])) == ['95 %', 'a seed']
    assert labels(Bar(1.0, points=[1.0])) == ['a seed']
    assert labels(Bar(1.0)) == []


def test_bars_of_nothing_are_drawn_without_a_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        figure = draw({'mIoU': {'JML': Bar(0.0, 0.0, 0.0, points=[0.0])}}, signed=True)
        figure.savefig(tmp_path / 'a.png')


@pytest.mark.parametrize('panels', [{}, {'mIoU': {}}])
def test_no_bar_is_refused(panels):
    with pytest.raises(ValueError, match='`panels` must hold at least one bar'):
        draw(panels)
