"""A dry run names what is missing, and runs nothing."""

import shlex
import subprocess
import sys

import pytest

from mmseg_jml.experiments.plan.plan import read_plan
from mmseg_jml.experiments.run.cells import runs, shown
from mmseg_jml.experiments.run.runner import check, dry_run
from tests.experiments.stubs import leave_checkpoint, runs_of, trained, write_plan
from tests.processes import ROOT, environment

PLANS = sorted((ROOT / 'benchmarks' / 'plans').glob('*.yml'))


def test_a_dry_run_names_the_checkpoints_that_will_be_there(tmp_path):
    cells = {
        't': str(tmp_path / 'base.py'),
        's': {'config': str(tmp_path / 'student.py'), 'teacher': 't'},
    }
    teacher, student = runs_of(write_plan(tmp_path, cells=cells))
    leave_checkpoint(teacher.folder, 'iter_1.pth')
    _, train, test, _, taught, _ = dry_run([teacher, student])
    assert f'--resume {teacher.folder}/iter_1.pth' in train
    assert f' {teacher.folder}/iter_2.pth ' in test
    assert f'model.teacher_checkpoint={teacher.folder}/iter_2.pth' in taught


def test_a_shown_command_is_read_by_a_shell_as_it_was(tmp_path):
    command = [sys.executable, '-c', 'import os, sys; print(os.environ["A"], sys.argv)']
    words = ['a b', "it's", '$HOME', '*']
    line = shown([*command, *words], {'A': '1 2'})
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f'1 2 {["-c", *words]}'


@pytest.mark.parametrize('path', PLANS, ids=lambda path: path.stem)
def test_a_shipped_plan_runs_dry_where_nothing_is(path, tmp_path):
    plan = read_plan(path)
    found = runs(plan, tmp_path / 'work')
    check(found)
    lines = list(dry_run(found))
    assert len(lines) == 3 * len(found)
    for line in lines:
        assert line.startswith('#') or 'mmseg_jml' in shlex.split(line)
    assert not list(tmp_path.iterdir())


def test_the_command_line_prints_a_script_of_what_is_missing(tmp_path):
    path = write_plan(tmp_path, seeds=[0, 1])
    done, _, _, half = runs_of(path)
    for run, state in ((done, 'done'), (half, 'running')):
        run.folder.mkdir(parents=True)
        (run.folder / 'run.json').write_text(f'{{"state": "{state}"}}')
    trained(half)
    printed = subprocess.run(
        [
            *(sys.executable, '-m', 'mmseg_jml', 'benchmark', path, '--dry-run'),
            *('--work-dir', 'work', '--only', 'a', 'b'),
        ],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert printed[0] == '# a/seed-0: done'
    assert printed[1] == '# b/seed-0'
    jobs = [shlex.split(line)[3] for line in printed if not line.startswith('#')]
    assert jobs == ['train', 'test'] * 3
    assert '--resume work/b/seed-1/iter_1.pth' in printed[-2]
