"""Plans whose trainings are those of `stub/sitecustomize.py`."""

import json
import os
import zipfile
from pathlib import Path

import yaml

from mmseg_jml.experiments.plan.plan import read_plan
from mmseg_jml.experiments.run.cells import config, runs
from mmseg_jml.experiments.run.execution import execute
from mmseg_jml.experiments.run.runner import Runner
from mmseg_jml.experiments.run.state import read_state
from tests.processes import ROOT

STUB = Path(__file__).parent / 'stub'
CONFIG = """
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False))
model = dict(type='A', decode_head=dict(type='B', loss_decode=dict(type='C')))
train_dataloader = dict(dataset=dict(type='D', data_root='data'))
randomness = dict(seed=0)
"""
STUDENT = CONFIG.replace("type='A'", "type='A', teacher='t.py', teacher_checkpoint='t'")


def use_stub(monkeypatch, **variables):
    """Let every Python that is started train by the stub."""
    path = os.pathsep.join([str(STUB), str(ROOT), os.environ.get('PYTHONPATH', '')])
    monkeypatch.setenv('PYTHONPATH', path)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))


def write_plan(folder, **keys):
    """Write two configs and a plan of the cells `a` and `b`, or of other keys."""
    (folder / 'base.py').write_text(CONFIG)
    (folder / 'student.py').write_text(STUDENT)
    base = str(folder / 'base.py')
    plan = {'overrides': {'train_cfg.max_iters': 2}, 'cells': {'a': base, 'b': base}}
    (folder / 'plan.yml').write_text(yaml.safe_dump(plan | keys, sort_keys=False))
    return folder / 'plan.yml'


def runs_of(path):
    """The runs of a plan, in `work` beside it."""
    return runs(read_plan(path), path.parent / 'work')


def calls(run):
    """What was called for a run: the jobs, in order, and all that the stub noted."""
    paths = (run.folder / 'calls', run.folder / 'test' / 'calls')
    lines = [line for p in paths if p.exists() for line in p.read_text().splitlines()]
    found = [json.loads(line) for line in lines]
    return [call['words'][0] for call in found], found


def states(runs):
    """The states by the names of runs."""
    return {run.name: read_state(run.folder).get('state') for run in runs}


def start(run, place, say):
    """Begin a run as the local runner does."""
    return execute(run, say=say)


def go(runs, **options):
    """Run them; gives whether all is done, and the lines that were said."""
    lines = []
    return Runner(runs, start, say=lines.append, **options).run(), lines


def leave_checkpoint(folder, name, note=None):
    """Leave what MMEngine leaves of a training: an empty checkpoint, and its note."""
    folder.mkdir(parents=True, exist_ok=True)
    zipfile.ZipFile(folder / name, 'w').close()
    (folder / 'last_checkpoint').write_text(name if note is None else note)


def trained(run, **changes):
    """Leave what a training of a run leaves: its config and a checkpoint."""
    cfg = config(run)
    cfg.merge_from_dict({'work_dir': str(run.folder), 'launcher': 'none'} | changes)
    leave_checkpoint(run.folder, 'iter_1.pth')
    cfg.dump(run.folder / 'base.py')
