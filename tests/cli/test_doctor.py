"""`python -m mmseg_jml doctor`, on this machine and on machines that are made up."""

import importlib.metadata

import pytest

from mmseg_jml import __version__
from mmseg_jml.__main__ import main
from mmseg_jml.cli import doctor as doctor_module
from mmseg_jml.cli import smoke
from mmseg_jml.cli.optional_parts import Part
from tests.processes import ROOT

HINT = '\n    to do: '


@pytest.fixture
def no_training(monkeypatch):
    """What the training says instead of running for seconds."""
    monkeypatch.setattr(smoke, 'smoke_training', lambda: 'training: done')


@pytest.fixture
def installed(monkeypatch, tmp_path, no_training):
    """Make `name` of a version the only MMSegmentation, bringing import packages."""
    monkeypatch.setattr(doctor_module, '_version', lambda name: '')
    monkeypatch.setattr(importlib.metadata, 'packages_distributions', dict)
    found, brought = {}, {}

    def install(name, version, *packages):
        found[name] = version
        for package in packages:
            brought.setdefault(package, []).append(name)
        monkeypatch.setattr(doctor_module, '_version', lambda name: found.get(name, ''))
        monkeypatch.setattr(
            importlib.metadata, 'packages_distributions', lambda: brought
        )

    return install


def report(capsys, status):
    assert main(['doctor']) == status
    return capsys.readouterr().out


def test_doctor_is_content_here(capsys):
    said = report(capsys, 0)
    assert f'mmseg_jml {__version__}' in said
    assert 'JaccardMetricLoss' in said
    assert 'training: 2 steps, validation, checkpoint' in said
    assert said.endswith('everything works\n')


def test_no_mmsegmentation_is_a_problem(installed, capsys):
    said = report(capsys, 1)
    assert f'PROBLEM MMSegmentation is not installed{HINT}' in said
    assert 'pip install onedl-mmengine onedl-mmcv onedl-mmsegmentation' in said
    assert said.endswith('1 problem(s)\n')


def test_one_distribution_is_named_with_its_versions(installed, capsys):
    installed('mmengine', '0.10.7', 'mmengine')
    installed('mmsegmentation', '1.2.2', 'mmseg')
    said = report(capsys, 0)
    assert 'openmmlab: mmengine 0.10.7, mmsegmentation 1.2.2\n' in said


@pytest.mark.parametrize(
    ('pair', 'packages'),
    [
        # The whole of both; two halves that share no package; a name of the old days.
        (('onedl-mmsegmentation', 'mmseg', 'mmsegmentation', 'mmseg'), 'mmseg'),
        (
            ('onedl-mmengine', 'mmengine', 'mmsegmentation', 'mmseg'),
            'mmseg, mmengine, mmcv',
        ),
        (('onedl-mmcv', 'mmcv', 'mmcv-full', 'mmcv'), 'mmcv'),
    ],
)
def test_two_distributions_are_a_problem(installed, capsys, pair, packages):
    first, brings, second, brings_too = pair
    installed(first, '1.4.2', brings)
    installed(second, '1.2.2', brings_too)
    said = report(capsys, 1)
    assert f'PROBLEM two distributions install the same packages ({packages})' in said
    assert f'`pip uninstall {first} {second}`, then install one of them.' in said
    assert said.endswith('1 problem(s)\n')


def test_two_distributions_are_found_in_the_metadata_on_disk(
    monkeypatch, tmp_path, no_training, capsys
):
    for name in ('onedl_mmsegmentation', 'mmsegmentation'):
        folder = tmp_path / f'{name}-9.9.dist-info'
        folder.mkdir()
        (folder / 'METADATA').write_text(f'Name: {name}\nVersion: 9.9\n')
        (folder / 'top_level.txt').write_text('mmseg\n')
    monkeypatch.syspath_prepend(tmp_path)
    said = report(capsys, 1)
    assert 'mmsegmentation 9.9' in said
    assert 'PROBLEM two distributions install the same packages (mmseg' in said


def test_an_error_of_registration_is_shown(monkeypatch, no_training, capsys):
    def fail():
        raise RuntimeError('a name is registered twice')

    monkeypatch.setattr('mmseg_jml.register', fail)
    assert 'RuntimeError: a name is registered twice' in report(capsys, 1)


def test_a_training_that_fails_is_a_problem_and_shows_what_it_said(monkeypatch, capsys):
    def fail():
        print('loading the data')
        raise RuntimeError('an operator is missing')

    monkeypatch.setattr(smoke, 'smoke_training', fail)
    said = report(capsys, 1)
    assert 'PROBLEM a training run of two steps fails:\nloading the data\n' in said
    assert f'RuntimeError: an operator is missing\n{HINT}' in said


def test_what_is_optional_is_no_problem_but_says_how_to_get_it(
    monkeypatch, tmp_path, no_training, capsys
):
    (tmp_path / 'broken_part.py').write_text("raise OSError('no libjpeg')")
    (tmp_path / 'half_part.py').write_text('import nothing_like_it')
    monkeypatch.syspath_prepend(tmp_path)
    names = ('missing_part', 'broken_part', 'half_part', 'zipfile')
    parts = [Part(name, name, f'pip install {name}') for name in names]
    monkeypatch.setattr(doctor_module, 'OPTIONAL', parts)
    said = report(capsys, 0)
    hint = '\n    if you need it: pip install '
    assert f'optional: missing_part is not installed{hint}missing_part' in said
    assert f'optional: broken_part cannot be imported: no libjpeg{hint}broken' in said
    assert "half_part cannot be imported: No module named 'nothing_like_it'" in said
    assert 'optional: zipfile\n' in said


def test_a_missing_tree_of_configs_is_a_problem(monkeypatch, no_training, capsys):
    def fail():
        raise FileNotFoundError('no configs were installed')

    monkeypatch.setattr('mmseg_jml.shipped.configs_dir', fail)
    said = report(capsys, 1)
    assert f'PROBLEM no configs were installed{HINT}reinstall the wheel' in said


@pytest.mark.parametrize('count', [1, 2])
def test_gpus_are_named(monkeypatch, no_training, capsys, count):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    monkeypatch.setattr('torch.cuda.device_count', lambda: count)
    monkeypatch.setattr('torch.cuda.get_device_name', lambda index: f'card {index}')
    names = ', '.join(f'card {index}' for index in range(count))
    assert f'{count} GPU(s): {names}\n' in report(capsys, 0)


def test_a_driver_without_a_gpu_gets_a_hint(monkeypatch, no_training, capsys):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    monkeypatch.setattr('shutil.which', lambda name: f'/usr/bin/{name}')
    said = report(capsys, 0)
    assert (
        'no GPU was found: training runs on the CPU\n    if you need it: this machine'
        in said
    )


@pytest.mark.parametrize(('version', 'safe'), [('2.5.1+cpu', False), ('2.10.0', True)])
def test_an_old_pytorch_gets_a_hint(monkeypatch, no_training, capsys, version, safe):
    monkeypatch.setattr('torch.__version__', version)
    said = report(capsys, 0)
    assert f'torch {version}, built with' in said
    assert ('if you need it: PyTorch 2.6 and later load' in said) is not safe


def test_the_tested_versions_are_written_without_a_report(tmp_path, capsys):
    assert main(['doctor', '--constraints', str(tmp_path / 'new' / 'a.txt')]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    tested = (ROOT / 'requirements' / 'constraints.txt').read_bytes()
    assert (tmp_path / 'new' / 'a.txt').read_bytes() == tested
