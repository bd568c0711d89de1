"""tools/plot_calibration.py: several runs side by side."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_jml.__main__ import main
from mmseg_jml.cli import plot_calibration
from mmseg_jml.cli.plot_calibration import bins_file, run_plot
from mmseg_jml.functional import bin_table
from mmseg_jml.visualization import write_bin_tables

CLASSES, PALETTE = ['ground', 'cat'], [[60, 60, 60], [230, 159, 0]]


def write_bins(path, correct, pixels=('all', 'boundary'), number=4):
    table = bin_table(torch.full((number,), 0.9), torch.arange(number) < correct)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bin_tables(path, dict.fromkeys(pixels, table))
    return path


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Work dirs `ce` and `jml`, and maps of a picture by both."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (8, 12, 3)).astype(np.uint8)).save('a.png')
    for number, name in enumerate(('ce', 'jml')):
        write_bins(tmp_path / name / 'calibration/test_iter_9_bins.csv', 2 + number)
        np.savez(
            f'{name}.npz',
            prediction=rng.integers(0, 2, (8, 12)).astype(np.uint8),
            confidence=rng.uniform(0.5, 1, (8, 12)).astype(np.float32),
            classes=CLASSES,
            palette=PALETTE,
        )
    return tmp_path


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures = []
    for kind in ('reliability', 'maps_of_runs'):
        draw = getattr(plot_calibration, kind)

        def keep(args, draw=draw):
            figures.append(draw(args))
            return figures[-1]

        monkeypatch.setattr(plot_calibration, kind, keep)
    return figures


def test_runs_stand_in_columns_and_pixels_in_rows(runs, drawn):
    assert run_plot(['reliability', 'CE=ce', 'JML=jml', '--out', 'new/r.png']) == 0
    titles = [axes.get_title() for axes in drawn[0].axes[::2]]
    assert titles == [
        'CE: all\nECE 40.00 %, 4 pixels',
        'JML: all\nECE 15.00 %, 4 pixels',
        'CE: boundary\nECE 40.00 %, 4 pixels',
        'JML: boundary\nECE 15.00 %, 4 pixels',
    ]
    with Image.open('new/r.png') as image:
        assert image.format == 'PNG'


def test_the_pixels_can_be_chosen(runs, drawn):
    run_plot(['reliability', 'CE=ce', '--pixels', 'boundary'])
    assert [axes.get_title()[:12] for axes in drawn[0].axes[::2]] == ['CE: boundary']


def test_a_file_may_be_named_itself(runs, drawn):
    path = write_bins(runs / 'other.csv', 4)
    run_plot(['reliability', f'CE={path}'])
    assert 'ECE 10.00 %' in drawn[0].axes[0].get_title()


def test_of_a_work_dir_the_newest_bins_are_shown(runs):
    old = runs / 'ce/calibration/test_iter_9_bins.csv'
    new = write_bins(runs / 'ce/calibration/test_iter_12_bins.csv', 3)
    os.utime(old, (1, 1))
    assert bins_file(runs / 'ce') == new


def test_bins_in_a_linked_folder_are_found(runs):
    new = write_bins(runs / 'disk/calibration/test_iter_12_bins.csv', 3)
    (runs / 'linked').mkdir()
    (runs / 'linked/run').symlink_to(runs / 'disk')
    assert bins_file(runs / 'linked').resolve() == new


@pytest.mark.parametrize('flags', [('CE=ce', 'VAL=val'), ('CE=ce', 'VAL=val.csv')])
def test_runs_of_other_images_are_not_drawn_side_by_side(flags, runs, drawn):
    write_bins(runs / 'val/calibration/val_iter_9_bins.csv', 3)
    write_bins(runs / 'val.csv', 3, number=8)
    with pytest.raises(SystemExit, match='not measured on the same images'):
        run_plot(['reliability', *flags])
    assert run_plot(['reliability', *flags, '--mixed']) == 0


def test_of_a_work_dir_with_both_splits_one_has_to_be_chosen(runs, drawn):
    write_bins(runs / 'ce/calibration/val_iter_9_bins.csv', 3)
    with pytest.raises(SystemExit, match='add `--split val` or `--split test`'):
        run_plot(['reliability', 'CE=ce', 'JML=jml'])
    assert run_plot(['reliability', 'CE=ce', 'JML=jml', '--split', 'test']) == 0
    assert bins_file(runs / 'ce', 'val').name == 'val_iter_9_bins.csv'


def test_maps_show_the_picture_and_each_runs_prediction_and_confidence(runs, drawn):
    assert run_plot(['maps', 'a.png', 'CE=ce.npz', 'JML=jml.npz']) == 0
    axes = drawn[0].axes
    assert [a.get_title() for a in axes[:5]] == [
        'picture',
        'CE: prediction',
        'CE: confidence',
        'JML: prediction',
        'JML: confidence',
    ]
    with Image.open('a.png') as image, np.load('jml.npz') as maps:
        assert np.array_equal(axes[0].images[0].get_array(), np.asarray(image))
        shown = np.asarray(axes[4].images[0].get_array())
        np.testing.assert_array_equal(shown, maps['confidence'])
    assert (runs / 'maps.png').is_file()


TURNING = """
test_pipeline = [
    dict(type='LoadImageFromFile', color_type={kind!r}),
    dict(type='LoadAnnotations'),
]
"""


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp'])
@pytest.mark.parametrize(
    ('kind', 'turned'),
    [(None, True), ('color', True), ('color_ignore_orientation', False)],
)
def test_maps_show_the_image_as_the_pipeline_reads_it(
    runs, drawn, suffix, kind, turned
):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    with Image.open('a.png') as image:
        image.save(
            f'b.{suffix}', exif=exif, **({'lossless': True} if suffix == 'webp' else {})
        )
    words = ['maps', f'b.{suffix}', 'CE=ce.npz']
    if kind:
        Path('config.py').write_text(TURNING.format(kind=kind))
        words += ['--config', 'config.py']
    assert run_plot(words) == 0
    shown = drawn[0].axes[0].images[0].get_array()
    with Image.open(f'b.{suffix}') as image:
        stored = np.asarray(image.convert('RGB')).astype(int)
    expected = stored[::-1, ::-1] if turned else stored
    assert np.abs(shown - expected).max() <= 8  # decoders of JPEG differ a little


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        (['reliability', 'ce'], "a run must be NAME=PATH, got 'ce'"),
        (['reliability', '=ce'], "a run must be NAME=PATH, got '=ce'"),
        (['reliability', 'CE=ce', 'CE=jml'], "two runs have the name 'CE'"),
        (['reliability', 'CE=no.csv'], 'no.csv'),
        (['reliability', 'CE=empty'], 'no .*_bins.csv in empty or its subfolders'),
        (['reliability', 'CE=a.png'], 'error: '),
        (
            ['reliability', 'CE=ce', '--pixels', 'car'],
            r"`--pixels` must be some of \['all', 'boundary'\], .* got 'car'",
        ),
        (['maps', 'no.png', 'CE=ce.npz'], 'no.png'),
        (['maps', 'a.png', 'CE=no.npz'], 'no.npz'),
        (['maps', 'a.png', 'CE=bad.npz'], 'is not a file from `predict --format npz`'),
        (['maps', 'a.png', 'CE=a.png'], 'is not a file from `predict --format npz`'),
        (['maps', 'a.png', 'CE=half.npz'], 'half.npz is not a file from `predict'),
        (['maps', 'a.png', 'CE=none.npz'], 'none.npz is not a file from `predict'),
        (
            ['maps', 'a.png', 'CE=ce.npz', 'B=other.npz'],
            'the classes in other.npz differ from those of the first run',
        ),
    ],
)
def test_bad_input_is_answered_with_a_sentence(runs, words, sentence):
    (runs / 'empty').mkdir()
    np.savez('bad.npz', prediction=np.zeros((8, 12)))
    Path('half.npz').write_bytes(Path('ce.npz').read_bytes()[:300])
    Path('none.npz').touch()
    with np.load('ce.npz') as maps:
        np.savez('other.npz', **{**maps, 'classes': ['ground', 'dog']})
    with pytest.raises(SystemExit, match=sentence) as end:
        run_plot(words)
    assert str(end.value).startswith('error: ')


def test_the_command_is_the_tool(runs):
    assert main(['plot-calibration', 'reliability', 'CE=ce', '--out', 'r.png']) == 0
    assert (runs / 'r.png').is_file()
