"""`python -m mmseg_jml benchmark`: from a plan to a table, a report and a status."""

import json
from pathlib import Path

import pytest
import yaml

from mmseg_jml.cli.benchmark import gpus_of, run_benchmark
from mmseg_jml.experiments.plan.plan import read_plan
from mmseg_jml.experiments.run.cells import runs
from mmseg_jml.experiments.run.runner import check
from mmseg_jml.experiments.run.state import read_state
from tests.experiments.stubs import runs_of, states, use_stub, write_plan
from tests.processes import ROOT

REPORT = 'mmseg_jml.experiments.report.report'


@pytest.fixture
def reports(monkeypatch):
    """What is asked of the report, in place of one."""
    asked = []

    def write_report(plan, work_dir):
        asked.append((plan.name, work_dir))
        return work_dir / 'report.md'

    monkeypatch.setattr(f'{REPORT}.write_report', write_report)
    return asked


def test_the_command_ends_with_a_table_a_report_and_a_status(
    monkeypatch, tmp_path, capsys, reports
):
    use_stub(monkeypatch, STUB_BREAK='/b/')
    monkeypatch.chdir(tmp_path)
    path = write_plan(tmp_path)
    assert run_benchmark([str(path)]) == 1
    printed = capsys.readouterr().out
    assert 'b        0       1        0   0.00' in printed.splitlines()
    assert printed.endswith('report: work_dirs/plan/report.md\n')
    assert set(reports) == {('plan', Path('work_dirs/plan'))}
    assert len(reports) == 4  # at the beginning, after each run, at the end
    monkeypatch.delenv('STUB_BREAK')
    assert run_benchmark([str(path)]) == 0


def test_report_only_runs_nothing(monkeypatch, tmp_path, capsys, reports):
    use_stub(monkeypatch)
    path, work = write_plan(tmp_path), tmp_path / 'work'
    command = [str(path), '--work-dir', str(work), '--report-only']
    with pytest.raises(SystemExit, match='`--report-only` needs the work dir'):
        run_benchmark(command)
    work.mkdir()
    assert run_benchmark(command) == 0
    assert capsys.readouterr().out == f'report: {work / "report.md"}\n'
    assert list(work.iterdir()) == []
    assert reports == [('plan', work)]


@pytest.fixture
def failing(monkeypatch, reports):
    """A report that is written once and fails from then on."""

    def write_report(plan, work_dir):
        reports.append(plan.name)
        if len(reports) > 1:
            raise KeyError('ECE')

    monkeypatch.setattr(f'{REPORT}.write_report', write_report)


def test_a_report_that_fails_on_the_way_ends_nothing(
    monkeypatch, tmp_path, capsys, failing
):
    use_stub(monkeypatch)
    path = write_plan(tmp_path)
    with pytest.raises(KeyError):
        run_benchmark([str(path), '--work-dir', str(tmp_path / 'work')])
    assert set(states(runs_of(path)).values()) == {'done'}
    assert "the report could not be written: KeyError: 'ECE'" in capsys.readouterr().err


def test_a_report_that_cannot_be_is_known_before_anything_runs(
    monkeypatch, tmp_path, failing, reports
):
    use_stub(monkeypatch)
    reports.append('before')
    path = write_plan(tmp_path)
    with pytest.raises(KeyError):
        run_benchmark([str(path), '--work-dir', str(tmp_path / 'work')])
    assert set(states(runs_of(path)).values()) == {None}


def test_what_is_wrong_with_a_plan_ends_the_command_with_a_sentence(tmp_path):
    path = write_plan(tmp_path, baseline='c')
    with pytest.raises(SystemExit, match=r'error: .*`baseline` must be one of'):
        run_benchmark([str(path)])


def test_a_users_config_is_trained_tested_and_tabulated(tmp_path, monkeypatch, reports):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    plan = {
        'base': str(ROOT / 'tests' / 'tools' / 'tiny.py'),
        'losses': ['jml-bls'],
        'overrides': {'train_cfg.max_iters': 2},
        'seeds': [5],
    }
    Path('mine.yml').write_text(yaml.safe_dump(plan))
    assert run_benchmark(['mine.yml']) == 0
    folder = Path('work_dirs/mine/jml-bls/seed-5')
    state = read_state(folder)
    assert Path(state['checkpoint']) == folder / 'iter_2.pth'
    assert state['peak_memory_mb'] > 100
    (result,) = folder.glob('test/*/*.json')
    assert {'mIoU', 'calib/ECE'} <= json.loads(result.read_text()).keys()
    (table,) = folder.glob('test/*/calib_per_image.csv')
    assert len(table.read_text().splitlines()) == 1 + 4
    # The config that was trained is the plan's.
    check(runs(read_plan('mine.yml'), Path('work_dirs/mine')))


@pytest.mark.parametrize(
    ('place', 'number', 'visible', 'own'),
    [(0, 1, None, '0'), (1, 2, None, '2,3'), (2, 2, None, '0,1'), (1, 1, '7,5', '5')],
)
def test_each_place_has_its_gpus(monkeypatch, place, number, visible, own):
    count = 4 if visible is None else len(visible.split(','))
    monkeypatch.setattr('torch.cuda.device_count', lambda: count)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if visible:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    assert gpus_of(place, number) == {'CUDA_VISIBLE_DEVICES': own}


def test_without_gpus_there_is_nothing_to_share(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 0)
    assert gpus_of(1, 1) == {}
