"""tools/plot_runs.py: curves of any work dirs."""

import pytest
from PIL import Image

from mmseg_jml.__main__ import main
from mmseg_jml.cli import plot_runs as command
from mmseg_jml.cli.plot_runs import run_plot_runs
from tests.experiments.folders import write_log


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Work dirs of CE and JML in two seeds, and one of another config."""
    monkeypatch.chdir(tmp_path)
    for cell in ('ce', 'jml'):
        for seed in range(2):
            write_log(tmp_path / cell / f'seed-{seed}', [50, 100], val=[(100, 30.0)])
    write_log(tmp_path / 'other', [50, 100], **{'aux.loss_ce': lambda step: step})
    return tmp_path


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures, draw = [], command.plot_runs

    def keep(args):
        figures.append(draw(args))
        return figures[-1]

    monkeypatch.setattr(command, 'plot_runs', keep)
    return figures


def lines(figure):
    """By panel, the names of its lines."""
    return {
        axes.get_title(): axes.get_legend_handles_labels()[1]
        for axes in figure.axes
        if axes.get_title()
    }


def test_a_name_is_a_line_over_all_runs_below_its_folder(runs, drawn):
    assert run_plot_runs(['CE=ce', 'jml', '--out', 'new/a.png']) == 0
    assert lines(drawn[0]) == {'mIoU': ['CE', 'jml'], 'loss': ['CE', 'jml']}
    with Image.open('new/a.png') as image:
        assert image.format == 'PNG'


def test_a_name_may_be_given_several_folders(runs, drawn):
    run_plot_runs(['both=ce/seed-0', 'both=jml/seed-0'])
    assert lines(drawn[0])['mIoU'] == ['both']
    # Two faint runs and their mean.
    assert len(drawn[0].axes[0].lines) == 3


def test_each_run_can_be_a_line(runs, drawn):
    run_plot_runs(['CE=ce', 'other', '--group', 'run'])
    assert lines(drawn[0])['loss'] == ['CE/seed-0', 'CE/seed-1', 'other']


def test_any_metric_of_the_log_can_be_shown(runs, drawn):
    run_plot_runs(['ce', 'other', '--metric', 'aux.loss_ce', 'lr'])
    assert lines(drawn[0]) == {'aux.loss_ce': ['other'], 'lr': ['ce', 'other']}


def test_a_folder_whose_name_has_an_equals_sign_is_a_folder(runs, drawn):
    (runs / 'ce').rename(runs / 'lr=0.1')
    run_plot_runs(['lr=0.1'])
    assert lines(drawn[0])['loss'] == ['lr=0.1']


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        (['=ce'], "a run must be WORK_DIR or NAME=WORK_DIR, got '=ce'"),
        (['CE='], "a run must be WORK_DIR or NAME=WORK_DIR, got 'CE='"),
        (['nothing'], 'no training log .* in nothing or its subfolders'),
        (['CE=empty'], 'no training log .* in empty or its subfolders'),
        (
            ['other', '--metric', 'mIou', 'loss'],
            r"`--metric` must be some of \['lr', 'loss', 'time',",
        ),
    ],
)
def test_bad_input_is_answered_with_a_sentence(runs, words, sentence):
    (runs / 'empty').mkdir()
    with pytest.raises(SystemExit, match=sentence) as end:
        run_plot_runs(words)
    assert str(end.value).startswith('error: ')


def test_the_command_is_the_tool(runs):
    assert main(['plot-runs', 'ce', '--out', 'a.png']) == 0
    assert (runs / 'a.png').is_file()
