"""What a wheel brings to a folder without a checkout."""

import shutil
import subprocess
import sys
import zipfile

import pytest

from mmseg_jml import __version__
from tests.processes import ROOT, run_python

SOURCES = ('setup.py', 'MANIFEST.in', 'README.md', 'LICENSE', 'pyproject.toml')


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """A folder that holds the unpacked wheel."""
    source, built = (tmp_path_factory.mktemp(name) for name in ('source', 'built'))
    # A copy: building in the checkout would leave a build folder there.
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    for name in ('mmseg_jml', 'configs'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    pip = [sys.executable, '-m', 'pip', '-q', 'wheel', '--no-deps', '-w', str(built)]
    subprocess.run([*pip, '--no-build-isolation', str(source)], check=True)
    (wheel,) = built.glob('*.whl')
    assert f'-{__version__}-' in wheel.name
    site = built / 'site'
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


def test_a_wheel_trains_a_shipped_config(site, tmp_path):
    listed = run_python('-m', 'mmseg_jml', 'configs', cwd=tmp_path, path=[site])
    demo = next(line for line in listed.stdout.split() if line.startswith('demo/'))
    options = (
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
    train = ('-m', 'mmseg_jml', 'train', demo, '--work-dir', 'run', '--cfg-options')
    done = run_python(*train, *options, cwd=tmp_path, path=[site])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'run' / 'iter_2.pth').is_file()


def test_the_papers_figures_travel_in_the_wheel(site):
    assert (site / 'mmseg_jml' / 'experiments' / 'plan' / 'paper.yml').is_file()
