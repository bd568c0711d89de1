"""Is MMSegmentation there, and how to install it where it is not."""

import functools
from importlib import import_module

# What our modules use of it: a broken mmcv shows only when these are imported.
_MMSEG_MODULES = (
    'mmseg.registry',
    'mmseg.models',
    'mmseg.datasets',
    'mmseg.evaluation',
)

HOW_TO_INSTALL = (
    'Install the maintained distribution with `pip install mmseg_jml[onedl]`, or the '
    'original one with `pip install mmseg_jml[openmmlab]` after building its mmcv: '
    '`MMCV_WITH_OPS=1 pip install --no-build-isolation --no-deps mmcv==2.1.0` '
    '(needs setuptools<81, ninja and psutil).'
)


@functools.cache
def mmseg_failure() -> Exception | None:
    """Return what importing MMSegmentation raised, or None where it works."""
    try:
        for module in _MMSEG_MODULES:
            import_module(module)
    except Exception as error:  # mmseg asserts its mmcv's version, mmcv loads a library
        return error
    return None


def require_mmseg() -> None:
    """Do nothing where MMSegmentation works.

    Raises:
        ImportError: MMSegmentation is not installed (the message says how to install
            it), or it is installed and its import fails (the cause is chained).
    """
    failure = mmseg_failure()
    if failure is None:
        return
    if isinstance(failure, ModuleNotFoundError) and failure.name == 'mmseg':
        raise ImportError(
            f'this part of mmseg_jml needs MMSegmentation, which is not installed. '
            f'{HOW_TO_INSTALL}',
            name='mmseg',
        )
    raise ImportError(
        f'this part of mmseg_jml needs MMSegmentation, which is installed but does not '
        f'import: {type(failure).__name__}: {failure}. '
        f'`python -m mmseg_jml doctor` tells more.',
        name='mmseg',
    ) from failure
