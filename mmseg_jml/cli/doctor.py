"""Say what is installed, whether it works together, and what to do if not."""

import argparse
import contextlib
import importlib.metadata
import io
import platform
import traceback
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from ..installation import HOW_TO_INSTALL, mmseg_failure

# Two distributions bring the same import packages; their names tell them apart.
DISTRIBUTIONS = {
    'onedl': (
        'onedl-mmengine',
        'onedl-mmcv',
        'onedl-mmsegmentation',
        'onedl-mmpretrain',
    ),
    'openmmlab': ('mmengine', 'mmcv', 'mmcv-lite', 'mmsegmentation', 'mmpretrain'),
}


class Finding(NamedTuple):
    """One line of the report; `todo` is empty where nothing is wrong."""

    text: str
    todo: str = ''


def doctor(argv: Sequence[str] | None = None) -> int:
    """Print the report; return 0 where everything is in place, else 1."""
    argparse.ArgumentParser(
        prog='python -m mmseg_jml doctor', description=__doc__
    ).parse_args(argv)
    findings = [*_environment(), *_mmsegmentation(), _configs()]
    for finding in findings:
        print(f'{"PROBLEM " if finding.todo else ""}{finding.text}')
        if finding.todo:
            print(f'    to do: {finding.todo}')
    problems = sum(bool(finding.todo) for finding in findings)
    print(f'{problems} problem(s)' if problems else 'everything is in place')
    return int(problems > 0)


def distributions() -> dict[str, dict[str, str]]:
    """Return the installed packages and versions of each distribution."""
    found: dict[str, dict[str, str]] = {}
    for name, packages in DISTRIBUTIONS.items():
        versions = {package: _version(package) for package in packages}
        found[name] = {package: v for package, v in versions.items() if v}
    return found


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ''


def _environment() -> list[Finding]:
    from .. import __version__

    found = [Finding(f'mmseg_jml {__version__}, Python {platform.python_version()}')]
    try:
        import torch
    except Exception as error:  # a broken library is an OSError, not an ImportError
        return [
            *found,
            Finding(
                f'torch does not import: {error}', 'install it: `pip install torch`'
            ),
        ]
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found.append(Finding(f'torch {torch.__version__}, {gpus or "no"} GPU(s)'))
    return found


def _mmsegmentation() -> list[Finding]:
    found = distributions()
    present = {name: versions for name, versions in found.items() if versions}
    if not present:
        return [Finding('MMSegmentation is not installed', HOW_TO_INSTALL)]
    findings = [
        Finding(f'{name}: ' + ', '.join(f'{p} {v}' for p, v in versions.items()))
        for name, versions in present.items()
    ]
    if len(present) == 2:
        both = ' '.join(p for versions in present.values() for p in versions)
        findings.append(
            Finding(
                'two distributions share the packages mmseg, mmengine, mmcv',
                f'`pip uninstall {both}`, then install one. {HOW_TO_INSTALL}',
            )
        )
    return [*findings, _registration()]


def _registration() -> Finding:
    from .. import REGISTERED, register

    names = [name for group in REGISTERED.values() for name in group]
    # The libraries greet on stdout and warn of their own optional parts.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        failure = mmseg_failure()
        if failure is not None:
            return Finding(
                f'MMSegmentation does not import: {type(failure).__name__}: {failure}',
                f'mend that, or install anew. {HOW_TO_INSTALL}',
            )
        try:
            register()
            missing = [name for name in names if not _is_registered(name)]
        except Exception:
            return Finding(
                f'mmseg_jml does not register:\n{traceback.format_exc()}',
                'install mmseg_jml again; if that does not help, report this error',
            )
    if missing:
        return Finding(f'not registered: {missing}', 'install mmseg_jml again')
    return Finding(f'registered: {", ".join(names)}')


def _is_registered(name: str) -> bool:
    from mmseg import registry

    registries = (
        registry.MODELS,
        registry.DATASETS,
        registry.METRICS,
        registry.HOOKS,
        registry.OPTIM_WRAPPER_CONSTRUCTORS,
    )
    return any(name in group.module_dict for group in registries)


def _configs() -> Finding:
    from ..shipped import configs_dir, leaves

    try:
        return Finding(f'{len(leaves())} configs in {configs_dir()}')
    except FileNotFoundError as error:
        return Finding(
            str(error), '`pip install --force-reinstall --no-deps mmseg_jml`'
        )
