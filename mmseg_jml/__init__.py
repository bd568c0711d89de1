"""Jaccard metric losses and soft labels for MMSegmentation.

Importing the package registers everything with MMSegmentation, so that a config needs
one line: `custom_imports=dict(imports=['mmseg_jml'], allow_failed_imports=False)`.
Without MMSegmentation the import still works, and so does `mmseg_jml.functional`; any
registered name then raises an ImportError that says how to install it.
"""

import functools
import sys
from importlib import import_module
from typing import Any

from .installation import mmseg_failure

__version__ = '0.1.0'

# Every registered name, by the subpackage that holds it.
REGISTERED: dict[str, tuple[str, ...]] = {
    'labels': ('BoundaryLabelSmoothing', 'LabelSmoothing'),
    'losses': (
        'CWDLoss',
        'CompoundLoss',
        'DISTLoss',
        'JaccardMetricLoss',
        'KLDistillationLoss',
        'SoftCrossEntropyLoss',
    ),
    'models': (
        'NoFlatDecayConstructor',
        'SemiSegDataPreprocessor',
        'StemResNetV1c',
        'UNetHead',
        'optional_backbone',
    ),
    'datasets': (
        'DeepGlobeLandDataset',
        'LoadOptionalAnnotations',
        'SemiSupervisedDataset',
        'SemiSupervisedSampler',
        'StrongAugmentation',
        'SyntheticShapesDataset',
        'branch_collate',
    ),
    'evaluation': (
        'CalibrationMetric',
        'FineGrainedIoUMetric',
        'MergedSegTTAModel',
        'SemiEvaluator',
    ),
    'segmentors': (
        'CalibratedEncoderDecoder',
        'DistillationCascadeEncoderDecoder',
        'DistillationEncoderDecoder',
        'SemiEncoderDecoder',
    ),
    'hooks': ('CalibrationHook', 'PseudoLabelHook'),
}


@functools.cache
def register() -> None:
    """Register every name of `REGISTERED` with MMSegmentation, where it is installed.

    An error of our own modules is raised as it is; a missing or broken MMSegmentation
    is not an error here but where a registered name is asked for.
    """
    if mmseg_failure() is None:
        for package in REGISTERED:
            import_module(f'mmseg_jml.{package}')


def __getattr__(name: str) -> Any:
    if name in REGISTERED or name == 'functional':
        return import_module(f'mmseg_jml.{name}')
    for package, names in REGISTERED.items():
        if name in names:
            return getattr(import_module(f'mmseg_jml.{package}'), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def _is_command() -> bool:
    """Whether this import is `python -m mmseg_jml` looking for its `__main__`."""
    words = sys.orig_argv
    follows = words[words.index('-m') + 1 :][:1] if '-m' in words else []
    # argv[0] is '-m' until the module is found: in later imports it is a path.
    return sys.argv[:1] == ['-m'] and follows == ['mmseg_jml']


# Listing configs or `doctor` should not wait for MMSegmentation; the commands that need
# it register.
if not _is_command():
    register()
