"""The package with, without and with a broken MMSegmentation."""

import re
from pathlib import Path

import pytest

import mmseg_jml
from tests.processes import ROOT, run_python

INSTALL = ('pip install onedl-mmengine onedl-mmcv', 'pip install mmengine ')
GROUPS = (
    'MODELS',
    'DATASETS',
    'EVALUATOR',
    'DATA_SAMPLERS',
    'TRANSFORMS',
    'METRICS',
    'HOOKS',
    'LOG_PROCESSORS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
)
EVERY_NAME = [name for names in mmseg_jml.REGISTERED.values() for name in names]


def registries():
    from mmengine.registry import FUNCTIONS  # MMSegmentation has none of its own
    from mmseg import registry

    return [*(getattr(registry, group) for group in GROUPS), FUNCTIONS]


def fake_mmseg(folder: Path, source: str) -> tuple[Path, Path]:
    """Return a PYTHONPATH on which importing mmseg runs `source`."""
    (folder / 'mmseg').mkdir()
    (folder / 'mmseg' / '__init__.py').write_text(source)
    return folder, ROOT


@pytest.fixture
def without_mmseg(tmp_path):
    source = "raise ModuleNotFoundError(\"No module named 'mmseg'\", name='mmseg')"
    return fake_mmseg(tmp_path, source)


@pytest.fixture
def with_broken_mmseg(tmp_path):
    return fake_mmseg(tmp_path, "assert False, 'mmcv 9.9 is incompatible'")


def test_the_version_has_one_source():
    text = (ROOT / 'setup.py').read_text()
    assert mmseg_jml.__version__ not in text
    assert re.fullmatch(r'\d+\.\d+\.\d+', mmseg_jml.__version__)


@pytest.mark.parametrize('package', ['evaluation', 'hooks'])
def test_a_subpackage_that_is_imported_first_registers_every_name(package, tmp_path):
    """It imports MMSegmentation, behind which all of ours are registered."""
    source = (
        f'import mmseg_jml.{package}\n'
        'from mmseg.registry import HOOKS, METRICS\n'
        "print(HOOKS.get('CalibrationHook'), METRICS.get('CalibrationMetric'))"
    )
    done = run_python('-W', 'ignore', '-c', source, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'None' not in done.stdout.splitlines()[-1]


@pytest.mark.parametrize('name', EVERY_NAME)
def test_importing_registers_every_name(name):
    groups = registries()
    found = [group.get(name) for group in groups if name in group.module_dict]
    assert found == [getattr(mmseg_jml, name)]


def test_the_table_of_names_misses_none():
    groups = registries()
    ours = {
        name
        for group in groups
        for name, kind in group.module_dict.items()
        if kind.__module__.startswith('mmseg_jml.')
    }
    assert ours == set(EVERY_NAME)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'NoSuchLoss'"):
        _ = mmseg_jml.NoSuchLoss


def test_functional_works_without_mmseg(without_mmseg, tmp_path):
    code = (
        'import torch, mmseg_jml\n'
        'x = torch.rand(1, 3, 4)\n'
        'print(float(mmseg_jml.functional.jaccard_loss(x, x, active_classes="all")))'
    )
    done = run_python('-c', code, cwd=tmp_path, path=without_mmseg)
    assert (done.returncode, float(done.stdout)) == (0, 0.0), done.stderr


LOSSES = """
import sys, torch
from mmseg_jml import (
    BoundaryLabelSmoothing, CompoundLoss, JaccardMetricLoss, SoftCrossEntropyLoss,
)
parts = [SoftCrossEntropyLoss(), dict(type='JaccardMetricLoss', smooth=0.0)]
loss = CompoundLoss(losses=parts, label_smoothing=BoundaryLabelSmoothing(epsilon=0))
label = torch.zeros(1, 4, 4).long()
print(round(loss(torch.zeros(1, 2, 4, 4), label).item(), 4))
print([name for name in ('mmseg', 'mmengine', 'mmcv', 'matplotlib')
       if name in sys.modules])
"""


@pytest.mark.parametrize('installed', [True, False])
def test_losses_import_torch_alone(installed, request, tmp_path):
    path = (ROOT,) if installed else request.getfixturevalue('without_mmseg')
    done = run_python('-c', LOSSES, cwd=tmp_path, path=path)
    assert done.stdout.splitlines() == ['1.1931', '[]'], done.stderr  # ln 2 + 1/2


def test_mmseg_builds_the_losses_whichever_is_imported_first(tmp_path):
    code = (
        'from mmseg_jml import CompoundLoss, JaccardMetricLoss\n'
        "before = CompoundLoss(losses=[dict(type='JaccardMetricLoss')])\n"
        'from mmseg.registry import HOOKS, MODELS\n'
        "parts = [dict(type='JaccardMetricLoss'), dict(type='DiceLoss')]\n"
        "built = MODELS.build(dict(type='CompoundLoss', losses=parts))\n"
        'kinds = [type(part) for part in (*before.children(), *built.children())]\n'
        'print(kinds[0] is kinds[1] is JaccardMetricLoss, kinds[2].__name__)\n'
        "print('CalibrationHook' in HOOKS.module_dict)"
    )
    done = run_python('-c', code, cwd=tmp_path)
    assert done.stdout.splitlines()[-2:] == ['True DiceLoss', 'True'], done.stderr


@pytest.mark.parametrize(
    'code',
    [
        'import mmseg_jml; mmseg_jml.UNetHead',
        'import mmseg_jml; mmseg_jml.models',
        'from mmseg_jml import CalibrationMetric',
        "import mmseg_jml; mmseg_jml.CompoundLoss(losses=[{'type': 'DiceLoss'}])",
        'from mmseg_jml.datasets import SyntheticShapesDataset',
        'from mmseg_jml.segmentors import CalibratedEncoderDecoder',
        'from mmseg_jml.hooks import CalibrationHook',
    ],
)
def test_a_registered_name_says_how_to_install_mmseg(code, without_mmseg, tmp_path):
    done = run_python('-c', code, cwd=tmp_path, path=without_mmseg)
    last = done.stderr.splitlines()[-1]
    assert last.startswith('ImportError: ')
    assert all(command in last for command in (*INSTALL, 'mmcv==2.1.0'))


def test_doctor_works_without_mmseg(without_mmseg, tmp_path):
    done = run_python('-m', 'mmseg_jml', 'doctor', cwd=tmp_path, path=without_mmseg)
    assert done.returncode == 1
    assert all(command in done.stdout for command in INSTALL)


@pytest.mark.parametrize(
    'command',
    [
        ('train', 'x.py'),
        ('test', 'x.py', 'x.pth'),
        ('predict', 'x.py', 'x.pth', 'pictures'),
        ('calibrate', 'x.py', 'x.pth'),
        ('export', 'x.py', 'x.pth', 'y.pth'),
    ],
)
def test_the_tools_say_how_to_install_mmseg(command, without_mmseg, tmp_path):
    done = run_python('-m', 'mmseg_jml', *command, cwd=tmp_path, path=without_mmseg)
    assert done.returncode == 1
    assert done.stderr.startswith('error: ')
    assert INSTALL[0] in done.stderr


def test_a_broken_mmseg_shows_its_own_error(with_broken_mmseg, tmp_path):
    code = 'import mmseg_jml; mmseg_jml.JaccardMetricLoss(); mmseg_jml.UNetHead'
    done = run_python('-c', code, cwd=tmp_path, path=with_broken_mmseg)
    assert 'AssertionError: mmcv 9.9 is incompatible\n\nThe above' in done.stderr
    last = done.stderr.splitlines()[-1]
    assert 'is installed but cannot be imported' in last
    assert 'mmcv 9.9 is incompatible' in last


def test_an_import_error_of_our_own_is_not_swallowed(tmp_path):
    code = (
        'import sys\n'
        "sys.modules['mmseg_jml.losses.jaccard'] = None  # the import system refuses\n"
        'import mmseg_jml, mmseg.registry'
    )
    done = run_python('-c', code, cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert last.startswith('ModuleNotFoundError: import of mmseg_jml.losses.jaccard')


@pytest.mark.parametrize('first', ['mmseg.apis', 'mmseg.datasets'])
def test_any_package_of_mmseg_may_be_imported_behind_ours(first, tmp_path):
    code = (
        f'import mmseg_jml, {first}\n'
        'from mmseg.registry import MODELS\n'
        "assert MODELS.get('JaccardMetricLoss') and MODELS.get('SemiEncoderDecoder')"
    )
    done = run_python('-c', code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_loss_that_is_registered_with_ours_late_is_built_by_either_registry():
    from mmseg.registry import MODELS as OF_MMSEG

    from mmseg_jml.losses import CompoundLoss, SoftCrossEntropyLoss
    from mmseg_jml.registry import MODELS

    mmseg_jml.register()
    late = type('LateLoss', (SoftCrossEntropyLoss,), {})
    MODELS.register_module(late)
    try:
        assert isinstance(CompoundLoss(losses=[dict(type='LateLoss')])[0], late)
        assert isinstance(OF_MMSEG.build(dict(type='LateLoss')), late)
    finally:
        del MODELS.classes['LateLoss'], OF_MMSEG.module_dict['LateLoss']
