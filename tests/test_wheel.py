"""What a wheel brings to a folder without a checkout."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from mmseg_jml import __version__
from tests.processes import ROOT, run_python

SOURCES = ('setup.py', 'MANIFEST.in', 'README.md', 'LICENSE', 'pyproject.toml')


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    source, built = (tmp_path_factory.mktemp(name) for name in ('source', 'built'))
    # A copy: building in the checkout would leave a build folder there.
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    for name in ('mmseg_jml', 'configs', 'requirements'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    pip = [sys.executable, '-m', 'pip', '-q', 'wheel', '--no-deps', '-w', str(built)]
    subprocess.run([*pip, '--no-build-isolation', str(source)], check=True)
    (wheel,) = built.glob('*.whl')
    assert f'-{__version__}-' in wheel.name
    return wheel


@pytest.fixture(scope='module')
def site(wheel, tmp_path_factory):
    """A folder that holds the unpacked wheel."""
    site = tmp_path_factory.mktemp('site')
    zipfile.ZipFile(wheel).extractall(site)
    return site


def files(folder):
    """Return the paths below `folder`, caches left out."""
    found = (p.relative_to(folder) for p in folder.rglob('*') if p.is_file())
    return {p.as_posix() for p in found if '__pycache__' not in p.parts}


def test_configs_travel_in_the_wheel(site):
    assert files(site / 'mmseg_jml' / '.configs') == files(ROOT / 'configs')


def test_nothing_else_is_installed(site):
    assert {path.name for path in site.iterdir()} == {
        'mmseg_jml',
        f'mmseg_jml-{__version__}.dist-info',
    }


def test_a_wheel_copies_its_configs(site, tmp_path):
    done = run_python('-m', 'mmseg_jml', 'configs', 'mine', cwd=tmp_path, path=[site])
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / 'mine') == files(ROOT / 'configs')


def test_the_papers_figures_travel_in_the_wheel(site):
    assert (site / 'mmseg_jml' / 'experiments' / 'plan' / 'paper.yml').is_file()


DEMO_IN_SECONDS = (
    '--work-dir',
    'run',
    '--cfg-options',
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
    'train_dataloader.batch_size=2',
    'train_dataloader.dataset.length=8',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.dataset.length=1',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'default_hooks.checkpoint.interval=2',
)


@pytest.fixture(scope='module')
def venv(tmp_path_factory):
    """An environment with the packages of this one, without our own, and `pip`."""
    folder = tmp_path_factory.mktemp('venv')
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', folder], check=True)
    python = folder / 'bin' / 'python'
    command = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    done = subprocess.run([python, '-c', command], capture_output=True, check=True)
    packages = folder / 'packages'
    packages.mkdir()
    for path in Path(sysconfig.get_path('purelib')).iterdir():
        if 'mmseg_jml' not in path.name:
            (packages / path.name).symlink_to(path)
    (Path(done.stdout.decode().strip()) / 'packages.pth').write_text(str(packages))
    (folder / 'bin' / 'pip').write_text(f'#!/bin/sh\nexec {python} -m pip "$@"\n')
    (folder / 'bin' / 'pip').chmod(0o755)
    return folder


def test_the_docs_of_the_wheel_lead_to_a_training(wheel, venv, tmp_path):
    page = (ROOT / 'docs' / 'install.md').read_text(encoding='utf-8')
    (script,) = re.findall(r'```bash\n(.*?)```', page.split('## From a wheel')[1], re.S)
    assert script.rstrip().endswith('.py')  # the training, the last command
    (tmp_path / 'dist').mkdir()
    shutil.copy(wheel, tmp_path / 'dist')
    names = {'PATH': f'{venv / "bin"}{os.pathsep}{os.environ["PATH"]}'}
    # Everything that pip is asked for is there.
    names |= {'PIP_NO_INDEX': '1', 'OMP_NUM_THREADS': '1', 'MPLBACKEND': 'Agg'}
    done = subprocess.run(
        ['bash', '-euc', f'{script.rstrip()} {" ".join(DEMO_IN_SECONDS)}'],
        cwd=tmp_path,
        env=names,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert (tmp_path / 'run' / 'iter_2.pth').is_file()
    assert 'everything works' in done.stdout
    assert files(tmp_path / 'my_configs') == files(ROOT / 'configs')
    pinned = (tmp_path / 'constraints.txt').read_bytes()
    assert pinned == (ROOT / 'requirements' / 'constraints.txt').read_bytes()


def test_the_packages_to_install_are_those_of_the_extra(wheel, venv, tmp_path):
    command = [venv / 'bin' / 'python', '-m', 'pip', 'install', '-q', '--no-deps']
    subprocess.run([*command, '--force-reinstall', wheel], check=True)
    code = (
        'from mmseg_jml import installation\n'
        "print(installation.__file__, installation.packages_of('openmmlab'))"
    )
    done = subprocess.run(
        [venv / 'bin' / 'python', '-c', code],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    place, packages = done.stdout.split(' ', 1)
    assert venv in Path(place).parents
    wanted = ['mmengine', 'mmsegmentation<1.3,>=1.2', 'mmpretrain', 'ftfy', 'regex']
    assert ast.literal_eval(packages) == wanted


def messages(path):
    """The strings of a module that are not docstrings."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    statements = (n.value for n in ast.walk(tree) if isinstance(n, ast.Expr))
    docstrings = {id(value) for value in statements}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield str(node.value)


@pytest.mark.parametrize(
    'lacking',
    ['tools/', 'docs/', 'requirements/', 'mmseg_jml[', 'pip install mmseg_jml'],
)
def test_no_message_names_what_a_wheel_or_an_index_lacks(lacking):
    modules = (ROOT / 'mmseg_jml').rglob('*.py')
    found = [text for path in modules for text in messages(path) if lacking in text]
    assert found == []
