"""Check whether MMSegmentation is installed, and say how to install it."""

import functools
import re
import shlex
from importlib import import_module
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

# What our modules use of it: a broken mmcv shows only when these are imported.
_MMSEG_MODULES = (
    'mmseg.registry',
    'mmseg.models',
    'mmseg.datasets',
    'mmseg.evaluation',
)

# OpenMMLab's mmcv has to be built, with what `pip install` of it does not ask for.
BUILD_MMCV = (
    '`pip install "setuptools<81" wheel ninja psutil`, then `MMCV_WITH_OPS=1 pip '
    'install --no-build-isolation --no-deps mmcv==2.1.0`'
)
_EXTRA = re.compile(r"""extra\s*==\s*['"](.*?)['"]""")


def how_to_install() -> str:
    """Commands that install MMSegmentation from where they are printed.

    No package index has mmseg_jml itself, so the commands cannot use its name.
    """
    return (
        f'Install the maintained distribution: `{_pip_install("onedl")}`. '
        'To get the tested versions, first run `python -m mmseg_jml doctor '
        '--constraints constraints.txt`, and add `-c constraints.txt` to that command. '
        f'Or install the original distribution: {BUILD_MMCV}, then '
        f'`{_pip_install("openmmlab")}`.'
    )


def _pip_install(extra: str) -> str:
    packages = packages_of(extra)
    if not packages:  # a checkout that was never installed
        return f"cd {shlex.quote(str(CHECKOUT))} && pip install -e '.[{extra}]'"
    return f'pip install {" ".join(map(shlex.quote, packages))}'


def packages_of(extra: str) -> list[str]:
    """The packages of an extra of setup.py, from the metadata of the installation.

    It is empty if mmseg_jml is imported from a checkout that is not installed.
    """
    from importlib import metadata

    try:
        required = metadata.requires('mmseg_jml') or []
    except metadata.PackageNotFoundError:
        return []
    return [
        package.partition(';')[0].strip()
        for package in required
        if (found := _EXTRA.search(package)) and found[1] == extra
    ]


@functools.cache
def mmseg_failure() -> Exception | None:
    """Return the error that importing MMSegmentation raises, or None if it works."""
    try:
        for module in _MMSEG_MODULES:
            import_module(module)
    except Exception as error:  # mmseg asserts its mmcv's version, mmcv loads a library
        return error
    return None


def require_mmseg() -> None:
    """Raise if MMSegmentation cannot be imported.

    Raises:
        ImportError: MMSegmentation is not installed (the message says how to install
            it), or it is installed but its import fails (the cause is chained).
    """
    failure = mmseg_failure()
    if failure is None:
        return
    if isinstance(failure, ModuleNotFoundError) and failure.name == 'mmseg':
        raise ImportError(
            f'this part of mmseg_jml needs MMSegmentation, which is not installed. '
            f'{how_to_install()}',
            name='mmseg',
        )
    raise ImportError(
        f'this part of mmseg_jml needs MMSegmentation, which is installed but cannot '
        f'be imported: {type(failure).__name__}: {failure}. '
        f'Run `python -m mmseg_jml doctor` to learn more.',
        name='mmseg',
    ) from failure
