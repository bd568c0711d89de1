import numpy as np
import pytest
import torch

from mmseg_jml.functional.calibration import BinTable, expected_calibration_error
from mmseg_jml.visualization import reliability_diagram
from mmseg_jml.visualization.reliability import OVER, UNDER


def table(count, confidence, accuracy):
    """Bins of these counts, mean confidences and accuracies."""
    count = torch.tensor(count)
    mean, right = (torch.tensor(v, dtype=torch.float64) for v in (confidence, accuracy))
    return BinTable(count, mean * count, (right * count).round().long())


CASE = table([0, 100, 300, 600], [0, 0.4, 0.6, 0.9], [0, 0.5, 0.6, 0.7])
EMPTY = table([0] * 4, [0.0] * 4, [0.0] * 4)


def bars(axes, hatch=None):
    """(left, bottom, height) of bars with this hatch."""
    return [
        (bar.get_x(), bar.get_y(), bar.get_height())
        for bar in axes.patches
        if bar.get_hatch() == hatch
    ]


def test_bars_rise_to_the_accuracy_in_per_cent_and_empty_bins_have_none():
    upper, _ = reliability_diagram({'all': CASE}).axes
    assert bars(upper) == [(25, 0, 50), (50, 0, 60), (75, 0, 70)]


@pytest.mark.parametrize(
    ('style', 'gaps'), [(OVER, [(75, 70, 20)]), (UNDER, [(25, 40, 10)])]
)
def test_gaps_span_accuracy_and_mean_confidence_by_their_sign(style, gaps):
    upper, _ = reliability_diagram({'all': CASE}).axes
    np.testing.assert_allclose(bars(upper, style['hatch']), gaps)


def test_shares_of_pixels_stand_below():
    _, lower = reliability_diagram({'all': CASE}).axes
    np.testing.assert_allclose(bars(lower), [(25, 0, 10), (50, 0, 30), (75, 0, 60)])


def test_the_gaps_weighted_by_the_shares_are_the_ece_of_the_title():
    upper, lower = reliability_diagram({'all': CASE}).axes
    shares = {left: height / 100 for left, _, height in bars(lower)}
    gaps = bars(upper, OVER['hatch']) + bars(upper, UNDER['hatch'])
    ece = sum(shares[left] * height for left, _, height in gaps)
    assert ece == pytest.approx(100 * expected_calibration_error(CASE))
    assert upper.get_title() == f'all\nECE {ece:.2f} %, 1,000 pixels'


def test_pixels_that_are_not_there_are_no_perfect_calibration():
    upper, lower = reliability_diagram({'car': EMPTY}).axes
    assert upper.get_title() == 'car\nno pixels'
    assert not bars(upper) + bars(lower)


def test_panels_fill_rows():
    figure = reliability_diagram(dict.fromkeys('abcde', CASE), columns=2)
    spec = figure.axes[0].get_subplotspec().get_topmost_subplotspec().get_gridspec()
    assert (spec.nrows, spec.ncols) == (3, 2)
    titles = [axes.get_title()[0] for axes in figure.axes[::2]]
    assert titles == list('abcde')


def test_axes_are_labelled_and_the_legend_names_everything():
    figure = reliability_diagram({'all': CASE}, title='val iter 3000')
    upper, lower = figure.axes
    assert upper.get_ylabel() == 'accuracy (%)'
    assert (lower.get_xlabel(), lower.get_ylabel()) == ('confidence (%)', 'pixels (%)')
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        'accuracy',
        'gap: too confident',
        'gap: not confident enough',
        'perfect calibration',
    ]
    assert figure.get_suptitle() == 'val iter 3000'


@pytest.mark.parametrize(
    ('tables', 'columns', 'words'),
    [({}, 4, '`tables` must hold at least one'), ({'a': CASE}, 0, 'got 0')],
)
def test_nothing_to_draw_is_refused(tables, columns, words):
    with pytest.raises(ValueError, match=words):
        reliability_diagram(tables, columns=columns)
