import json

import pytest

from mmseg_jml.experiments.plan.plan import Cell, Plan, Sweep
from mmseg_jml.experiments.report import plots
from mmseg_jml.experiments.report.findings import gather
from mmseg_jml.experiments.report.plots import draw_plots
from tests.experiments.folders import areas_of, write_run, write_test

EPSILONS = {'bls-0.5': 0.5, 'bls-0.1': 0.1}


def make_plan(values=EPSILONS, **options):
    cells = [Cell(name='ce', title='CE', config='a.py')]
    cells += [
        Cell(name=name, title=f'BLS, epsilon {v}', config='a.py', swept={'epsilon': v})
        for name, v in values.items()
    ]
    sweep = Sweep(name='epsilon', values=tuple(values.values()))
    options = {'baseline': 'ce', 'sweep': sweep, 'seeds': (0, 1)} | options
    return Plan(name='plan', cells=tuple(cells), **options)


@pytest.fixture
def work_dir(tmp_path):
    for i, cell in enumerate(['ce', *EPSILONS]):
        for seed in range(2):
            areas = areas_of(10 * i + seed, skill=0.7 + 0.05 * i)
            write_run(tmp_path / cell / f'seed-{seed}', areas, ece=1 + 2 * i + seed)
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves what is handed to a drawing in the place of the drawing."""
    for name in ('bar_panels', 'band_panels', 'trade_off'):
        monkeypatch.setattr(plots, name, lambda found, **_: found)


def test_bars_are_means_with_their_interval_and_runs(work_dir, undrawn):
    findings = gather(make_plan(), work_dir)
    bar = draw_plots(findings)['metrics']['mIoU (%)']['BLS, epsilon 0.5']
    assert bar.value == findings.cells['bls-0.5'].figures['mIoU'].mean
    assert bar[1:3] == findings.cells['bls-0.5'].intervals['mIoU'][1:]
    runs = findings.runs['bls-0.5']
    assert list(bar.points) == [run.figures['mIoU'] for run in runs]


def test_runs_by_epoch_and_by_iteration_share_no_panel_of_validation(work_dir, undrawn):
    for cell, line in (('ce', {'epoch': 1}), ('bls-0.5', {})):
        path = work_dir / cell / 'seed-0' / '20260101_000000' / 'vis_data/scalars.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [{'loss': 1.0, 'iter': 9, 'step': 9} | line, {'mIoU': 9.0, 'step': 1}]
        path.write_text(''.join(f'{json.dumps(each)}\n' for each in lines))
    panels = draw_plots(gather(make_plan(), work_dir))['curves']
    assert list(panels) == ['training loss']


def test_differences_are_of_all_cells_but_the_baseline(work_dir, undrawn):
    shown = draw_plots(gather(make_plan(), work_dir))['differences']
    assert list(shown['ECE (%)']) == ['BLS, epsilon 0.5', 'BLS, epsilon 0.1']
    assert shown['ECE (%)']['BLS, epsilon 0.5'] == (2, None, None, [2, 2])


def test_of_many_classes_those_that_change_most_are_drawn(
    work_dir, undrawn, monkeypatch
):
    findings = gather(make_plan(), work_dir)
    changes = {c: e.value for c, e in findings.comparisons['bls-0.5'].classes.items()}
    monkeypatch.setattr(plots, 'MOST_CLASSES', 1)
    shown = draw_plots(gather(make_plan({'bls-0.5': 0.5}), work_dir))['classes']
    largest = max(changes, key=lambda c: abs(changes[c]))
    assert list(shown['BLS, epsilon 0.5']) == [largest]


def test_curves_that_cannot_be_told_apart_are_not_drawn(work_dir, undrawn, monkeypatch):
    findings = gather(make_plan(), work_dir)
    monkeypatch.setattr(plots, 'MOST_CURVES', 3)
    assert 'curves' in draw_plots(findings)
    monkeypatch.setattr(plots, 'MOST_CURVES', 2)
    assert 'curves' not in draw_plots(findings)


def test_a_trade_off_has_a_point_for_each_run(work_dir, undrawn):
    shown = draw_plots(gather(make_plan(), work_dir))['trade_off']
    assert {name: len(points) for name, points in shown.items()} == {
        'CE': 2,
        'BLS, epsilon 0.5': 2,
        'BLS, epsilon 0.1': 2,
    }
    assert [ece for ece, _ in shown['CE']] == [1, 2]


def test_a_sweep_is_over_its_values_with_the_others_across(work_dir, undrawn):
    panel = draw_plots(gather(make_plan(), work_dir))['sweep']['ECE (%)']
    band = panel.kinds['BLS']
    assert band.x.tolist() == [0.1, 0.5]
    assert band.mean.tolist() == [5.5, 3.5]
    assert band.low.tolist() == [5, 3]
    assert band.high.tolist() == [6, 4]
    assert panel.levels == {'CE': 1.5}
    assert panel.ticks is None


def test_swept_words_stand_in_the_order_of_the_plan(work_dir, undrawn):
    values = {'bls-0.5': 'inf', 'bls-0.1': 3}
    panel = draw_plots(gather(make_plan(values), work_dir))['sweep']['ECE (%)']
    assert panel.ticks == ['inf', '3']
    assert panel.kinds['BLS'].mean.tolist() == [3.5, 5.5]


def test_a_value_without_a_finished_run_is_left_out_of_a_sweep(work_dir, undrawn):
    for path in (work_dir / 'bls-0.1').rglob('2026*.json'):
        path.unlink()
    panel = draw_plots(gather(make_plan(), work_dir))['sweep']['ECE (%)']
    assert panel.kinds['BLS'].x.tolist() == [0.5]


def test_what_there_is_nothing_of_is_not_drawn(tmp_path):
    write_test(tmp_path / 'ce' / 'seed-0', {'mIoU': 3.0})
    findings = gather(make_plan(), tmp_path)
    assert list(draw_plots(findings)) == ['metrics']
    assert draw_plots(gather(make_plan(), tmp_path / 'nothing')) == {}
