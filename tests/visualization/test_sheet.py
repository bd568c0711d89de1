import io

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.image import imread

from mmseg_jml.visualization import paint_label, prediction_sheet
from tests.processes import ROOT, run_python

CLASSES, PALETTE = ('ground', 'cat'), [(60, 60, 60), (230, 159, 0)]
viridis = colormaps['viridis']
RNG = np.random.default_rng(0)


def case(pictures=2, size=(8, 12)):
    maps = [RNG.integers(0, 2, size) for _ in range(pictures)]
    confidence = RNG.uniform(0.5, 1, size)
    return {
        'pictures': [RNG.integers(0, 256, (*size, 3)).astype(np.uint8) for _ in maps],
        'labels': maps,
        'runs': {name: [(m, confidence) for m in maps] for name in ('CE', 'JML')},
        'classes': CLASSES,
        'palette': PALETTE,
    }


def shown(figure, row, column, columns=6):
    return np.asarray(figure.axes[row * columns + column].images[0].get_array())


def test_every_column_says_what_it_shows_and_of_which_run():
    figure = prediction_sheet(**case())
    assert [axes.get_title() for axes in figure.axes[:6]] == [
        'picture',
        'label',
        'CE: prediction',
        'CE: confidence',
        'JML: prediction',
        'JML: confidence',
    ]


def test_every_row_shows_its_picture_label_and_predictions():
    given = case()
    figure = prediction_sheet(**given)
    for row in range(2):
        prediction, confidence = given['runs']['JML'][row]
        assert np.array_equal(shown(figure, row, 0), given['pictures'][row])
        label = paint_label(given['labels'][row], PALETTE)
        assert np.array_equal(shown(figure, row, 1), label)
        assert np.array_equal(shown(figure, row, 4), paint_label(prediction, PALETTE))
        assert np.array_equal(shown(figure, row, 5), confidence)


def test_confidences_below_one_half_have_colours_of_their_own():
    """A binary head whose threshold is 0.3 decides with 0.35, and with 0.45."""
    given = case(1)
    low = np.linspace(0.3, 1, 96).reshape(8, 12)
    given['runs'] = {'CE': [(given['labels'][0], low)]}
    (image,) = prediction_sheet(**given).axes[3].images
    assert image.get_clim()[0] == 0.3
    colours = image.to_rgba(image.get_array()).reshape(-1, 4)
    assert len(np.unique(colours, axis=0)) == 96


def test_a_softmax_of_equal_probabilities_keeps_the_scale_of_its_classes():
    given = case(1)
    even = np.full((8, 12), np.float32(1) / 2 - 1e-7)
    given['runs'] = {'CE': [(given['labels'][0], even)]}
    (image,) = prediction_sheet(**given).axes[3].images
    assert image.get_clim() == (0.5, 1)


def test_one_scale_holds_for_every_confidence():
    figure = prediction_sheet(**case())
    images = [figure.axes[i].images[0] for i in (3, 5, 9, 11)]
    assert {image.get_clim() for image in images} == {(0.5, 1.0)}


def test_the_legend_names_every_class_and_the_ignored():
    (legend,) = prediction_sheet(**case()).legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ['ground', 'cat', 'ignored']


def test_maps_are_shown_in_the_order_asked_for():
    figure = prediction_sheet(**case(), maps=('error', 'confidence'))
    titles = [axes.get_title() for axes in figure.axes[2:6]]
    assert titles == ['CE: error', 'CE: confidence', 'JML: error', 'JML: confidence']


def test_without_labels_their_column_is_left_out():
    given = case() | {'labels': None}
    figure = prediction_sheet(**given, maps=('confidence',))
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert titles == ['picture', 'CE: confidence', 'JML: confidence']


def test_errors_show_the_confidence_where_the_prediction_is_wrong_alone():
    label, prediction = np.array([[0, 0, 0, 255]]), np.array([[0, 1, 1, 1]])
    confidence = np.array([[0.9, 0.5, 1.0, 0.7]])
    given = case(1, (1, 4)) | {
        'labels': [label],
        'runs': {'CE': [(prediction, confidence)]},
    }
    figure = prediction_sheet(**given, maps=('error',))
    right, least, most, ignored = shown(figure, 0, 2, columns=3)[0]
    ends = [[round(255 * c) for c in viridis(end)[:3]] for end in (0.0, 1.0)]
    assert right.tolist() == [45, 45, 45]
    np.testing.assert_allclose([least, most], ends, atol=1)
    assert len({*ignored.tolist()}) == 1


def test_the_legend_names_what_is_right_among_errors():
    (legend,) = prediction_sheet(**case(), maps=('error',)).legends
    assert legend.get_texts()[-1].get_text() == 'in errors: right'


def test_a_sheet_is_saved_as_png():
    file = io.BytesIO()
    prediction_sheet(**case()).savefig(file, format='png')
    file.seek(0)
    assert imread(file).std() > 0.05


def test_a_sheet_leaves_pyplot_alone(tmp_path):
    code = (
        'import sys, mmseg_jml.visualization; print("matplotlib.pyplot" in sys.modules)'
    )
    setup = 'import sys; sys.argv[0] = "-m"\n'  # without what mmseg itself imports
    done = run_python('-c', setup + code, cwd=tmp_path, path=(ROOT,))
    assert done.stdout.split()[-1:] == ['False'], done.stderr


def test_a_sheet_without_runs_shows_the_data():
    assert len(prediction_sheet(**case() | {'runs': {}}).axes) == 2 * 2 + 1


def test_a_label_is_painted_in_its_classes_colours():
    painted = paint_label(np.array([[0, 1]]), PALETTE)
    assert painted.tolist() == [[list(colour) for colour in PALETTE]]


def test_ignored_pixels_are_hatched_in_two_greys_that_no_class_has():
    painted = paint_label(np.full((12, 12), 255), PALETTE)
    colours = {tuple(colour) for colour in painted.reshape(-1, 3).tolist()}
    assert len(colours) == 2
    assert not colours & set(PALETTE)


def test_ignored_pixels_change_no_other_pixels_colour():
    label = RNG.integers(0, 2, (8, 8))
    hidden = np.where(RNG.random((8, 8)) < 0.3, 255, label)
    same = hidden != 255
    painted = paint_label(hidden, PALETTE)
    assert np.array_equal(painted[same], paint_label(label, PALETTE)[same])


def test_another_ignore_index_is_hatched_too():
    label = np.full((3, 3), -1)
    expected = paint_label(np.full((3, 3), 255), PALETTE)
    assert np.array_equal(paint_label(label, PALETTE, ignore_index=-1), expected)


@pytest.mark.parametrize('wrong', [2, -1, 254])
def test_an_id_without_a_colour_is_refused(wrong):
    with pytest.raises(ValueError, match=rf'ids from 0 to 1 or 255, got \[{wrong}\]'):
        paint_label(np.array([[0, wrong]]), PALETTE)


def test_a_label_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r'must be \(H, W\), got shape \(1, 4, 4\)'):
        paint_label(np.zeros((1, 4, 4), int), PALETTE)


def broken(**changes):
    return case() | changes


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        (broken(pictures=[]), '`pictures` must hold at least one'),
        (
            broken(pictures=[np.zeros((8, 12), np.uint8)] * 2),
            r'must be \(H, W, 3\) uint8',
        ),
        (broken(pictures=[np.zeros((8, 12, 3))] * 2), 'uint8, got .* float64'),
        (broken(labels=case()['labels'][:1]), '`labels` must hold one map for each'),
        (
            broken(labels=[np.zeros((4, 4), int)] * 2),
            "`labels` 0 must have its image's",
        ),
        (broken(maps=('entropy',)), r"`maps` must be some of .* got \('entropy',\)"),
        (broken(labels=None, maps=('error',)), "must not hold 'error' without"),
        (broken(palette=PALETTE[:1]), '`palette` must hold a colour for each of the 2'),
        (
            broken(runs={'CE': [(np.zeros((8, 12), int), np.zeros((4, 4)))] * 2}),
            r"`runs\['CE'\]: confidence` 0 must have its image's size \(8, 12\)",
        ),
        (
            broken(runs={'CE': [(np.zeros((8, 12), int), np.zeros((8, 12)))]}),
            r"`runs\['CE'\]: prediction` must hold one map for each of the 2 images",
        ),
    ],
)
def test_maps_that_do_not_fit_are_refused_by_name(given, words):
    with pytest.raises(ValueError, match=words):
        prediction_sheet(**given)


def test_the_legend_is_no_wider_than_the_sheet():
    many = [f'a class with a long name {i}' for i in range(14)]
    picture, label = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), int)
    figure = prediction_sheet(
        [picture],
        [label],
        {'CE': [(label, np.ones((8, 8)))]},
        classes=many,
        palette=[(10, 20, 30)] * 14,
    )
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
