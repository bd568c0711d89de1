"""Build and install mmseg_jml; settings of tools are in pyproject.toml."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent

EXTRAS = {
    # Two distributions of MMSegmentation share the same import packages: choose one.
    'onedl': [
        'onedl-mmengine',
        'onedl-mmcv',
        'onedl-mmsegmentation',
        'onedl-mmpretrain',
    ],
    # mmcv is left out: its compiled operators have to be built first (see the docs).
    # ftfy and regex: mmseg imports them and does not ask for them.
    'openmmlab': [
        'mmengine',
        'mmsegmentation>=1.2,<1.3',
        'mmpretrain',
        'ftfy',
        'regex',
    ],
    # `python -m mmseg_jml benchmark PLAN --slurm PARTITION`
    'slurm': ['submitit'],
    # Checkpoints in this format are read with it.
    'safetensors': ['safetensors'],
    # `python -m mmseg_jml predict --format tif`
    'geo': ['rasterio'],
    'tests': [
        'hypothesis',
        'import-linter',
        'pytest>=8',
        'pytest-xdist',
        'rasterio',
        'safetensors',
        'scipy',
        'setuptools>=70.1',
        'submitit',
        # docs/without-mmsegmentation.md
        'accelerate',
        'lightning',
        'monai',
        'transformers',
    ],
    # mkdocs shows signatures as ruff formats them.
    'docs': ['mkdocs>=1.6', 'mkdocstrings[python]', 'ruff'],
}
EXTRAS['dev'] = [*EXTRAS['tests'], 'mypy', 'pre-commit', 'ruff']


def version() -> str:
    """Read `__version__` without importing the package, which would import torch."""
    text = (ROOT / 'mmseg_jml' / '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)[1]


class BuildWithConfigs(build_py):
    """Put configs/ and the constraints into the package: it has no checkout beside it.

    An editable install is left alone: it finds them in the checkout.
    """

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / 'mmseg_jml' / '.configs'
            # An earlier build may have left files that are gone since.
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(
                ROOT / 'configs', target, ignore=shutil.ignore_patterns('__pycache__')
            )
            constraints = ROOT / 'requirements' / 'constraints.txt'
            shutil.copy(constraints, target.with_name('.constraints.txt'))


setup(
    name='mmseg_jml',
    version=version(),
    description='Jaccard metric losses and soft labels for MMSegmentation',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmseg_jml', 'mmseg_jml.*']),
    package_data={'mmseg_jml': ['py.typed'], 'mmseg_jml.experiments.plan': ['*.yml']},
    install_requires=['torch', 'numpy', 'matplotlib'],
    extras_require=EXTRAS,
    cmdclass={'build_py': BuildWithConfigs},
    zip_safe=False,
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Processing',
    ],
)
