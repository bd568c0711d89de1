"""Check the installation: what is installed, whether it works, and how to fix it."""

import importlib.metadata
import platform
import shutil
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..files import write_whole
from ..installation import how_to_install, mmseg_failure
from ..shipped import constraints_file
from .launch import errors_as_sentence
from .optional_parts import OPTIONAL, import_failure, quietly
from .parser import Parser

# Two distributions bring the same import packages; their names tell them apart.
IMPORTED = ('mmengine', 'mmcv', 'mmseg', 'mmpretrain')
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
    """One line of the report.

    `todo` says how to fix a problem with something that is required, `hint` how to get
    something optional. Both are empty if all is well.
    """

    text: str
    todo: str = ''
    hint: str = ''


def doctor(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Print the report; return 0 if everything required works, else 1."""
    parser = Parser(prog=prog, description=__doc__)
    parser.add_argument(
        '--constraints',
        metavar='FILE',
        type=Path,
        help='write the tested versions of all packages to FILE, for `pip install -c '
        'FILE`, without checking the installation',
    )
    args = parser.parse_args(argv)
    if args.constraints:
        with errors_as_sentence():
            write_whole(args.constraints, constraints_file().read_bytes())
        print(f'{args.constraints}: contains the tested versions of all packages')
        return 0
    findings = []
    for part in (_environment, _mmsegmentation, _optional, _configs, _training):
        # Printed one by one, because the last one takes seconds.
        for finding in part():
            findings.append(finding)
            print(f'{"PROBLEM " if finding.todo else ""}{finding.text}', flush=True)
            if finding.todo or finding.hint:
                print(f'    {"to do" if finding.todo else "if you need it"}: ', end='')
                print(finding.todo or finding.hint)
    problems = sum(bool(finding.todo) for finding in findings)
    print(f'{problems} problem(s)' if problems else 'everything works')
    return int(problems > 0)


def distributions() -> dict[str, dict[str, str]]:
    """Return the installed packages of each distribution, with their versions."""
    found: dict[str, dict[str, str]] = {}
    for name, packages in DISTRIBUTIONS.items():
        versions = {package: _version(package) for package in packages}
        found[name] = {package: v for package, v in versions.items() if v}
    return found


def owners() -> dict[str, list[str]]:
    """The installed packages that provide the same module, for each such module.

    Packages that are not in `DISTRIBUTIONS`, such as mmcv-full, count too.
    """
    found = importlib.metadata.packages_distributions()
    return {
        package: sorted(names)
        for package in IMPORTED
        if len(names := set(found.get(package, ()))) > 1
    }


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
            Finding(f'torch cannot be imported: {error}', 'run `pip install torch`'),
        ]
    built = f'CUDA {torch.version.cuda}' if torch.version.cuda else 'no CUDA'
    number = tuple(int(part) for part in torch.__version__.split('.')[:2])
    newer = 'PyTorch 2.6 and later load checkpoints without running code in them'
    hint = '' if number >= (2, 6) else newer
    found.append(Finding(f'torch {torch.__version__}, built with {built}', hint=hint))
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        names = [torch.cuda.get_device_name(index) for index in range(count)]
        return [*found, Finding(f'{count} GPU(s): {", ".join(names)}')]
    hint = ''
    if shutil.which('nvidia-smi'):
        hint = (
            'this machine has an NVIDIA driver; run `nvidia-smi` to see whether it '
            'works, and find the PyTorch build for its CUDA on https://pytorch.org'
        )
    return [*found, Finding('no GPU was found: training runs on the CPU', hint=hint)]


def _mmsegmentation() -> list[Finding]:
    present = {name: found for name, found in distributions().items() if found}
    if not present:
        return [Finding('MMSegmentation is not installed', how_to_install())]
    findings = [
        Finding(f'{name}: ' + ', '.join(f'{p} {v}' for p, v in versions.items()))
        for name, versions in present.items()
    ]
    shared = owners()
    if len(present) == 2 or shared:
        names = [package for versions in present.values() for package in versions]
        both = dict.fromkeys([*names, *(n for each in shared.values() for n in each)])
        packages = ', '.join(shared) or 'mmseg, mmengine, mmcv'
        findings.append(
            Finding(
                f'two distributions install the same packages ({packages}) and '
                "overwrite each other's files",
                f'`pip uninstall {" ".join(both)}`, then install one of them. '
                f'{how_to_install()}',
            )
        )
    return [*findings, _registration()]


def _registration() -> Finding:
    from .. import REGISTERED, register

    names = [name for group in REGISTERED.values() for name in group]
    with quietly():
        failure = mmseg_failure()
        if failure is not None:
            return Finding(
                'MMSegmentation cannot be imported: '
                f'{type(failure).__name__}: {failure}',
                f'fix that error, or reinstall it. {how_to_install()}',
            )
        try:
            register()
            missing = [name for name in names if not _is_registered(name)]
        except Exception:
            return Finding(
                f'mmseg_jml cannot register its modules:\n{traceback.format_exc()}',
                'reinstall mmseg_jml; if that does not help, report this error',
            )
    if missing:
        return Finding(f'not registered: {missing}', 'reinstall mmseg_jml')
    return Finding(f'registered: {", ".join(names)}')


def _is_registered(name: str) -> bool:
    import mmengine.registry
    import mmseg.registry

    groups = (
        each
        for module in (mmseg.registry, mmengine.registry)
        for each in vars(module).values()
        if isinstance(each, mmengine.registry.Registry)
    )
    return any(name in group.module_dict for group in groups)


def _optional() -> list[Finding]:
    findings = []
    for part in OPTIONAL:
        failure = import_failure(part.module)
        if failure is None:
            version = _version(part.name)
            findings.append(Finding(f'optional: {part.name} {version}'.rstrip()))
            continue
        missing = getattr(failure, 'name', None) in (part.module, part.name)
        reason = 'is not installed' if missing else f'cannot be imported: {failure}'
        findings.append(Finding(f'optional: {part.name} {reason}', hint=part.hint))
    return findings


def _configs() -> list[Finding]:
    from ..shipped import configs_dir, leaves

    try:
        return [Finding(f'{len(leaves())} configs in {configs_dir()}')]
    except FileNotFoundError as error:
        todo = (
            'reinstall the wheel: `pip install --force-reinstall --no-deps '
            'PATH/mmseg_jml-*.whl`'
        )
        return [Finding(str(error), todo)]


def _training() -> list[Finding]:
    if mmseg_failure() is not None:
        return []  # this problem is already reported
    from .smoke import smoke_training

    try:
        with quietly() as said:
            result = smoke_training()
    except Exception:
        return [
            Finding(
                f'a training run of two steps fails:\n{said.getvalue()}'
                f'{traceback.format_exc()}',
                'fix the problems above first; if there are none, report this error',
            )
        ]
    return [Finding(result)]
