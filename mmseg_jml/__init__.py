"""Jaccard metric losses and soft labels for MMSegmentation.

Importing the package registers everything with MMSegmentation, so that a config needs
one line: `custom_imports=dict(imports=['mmseg_jml'], allow_failed_imports=False)`.
The losses, the label transforms and `mmseg_jml.functional` need PyTorch alone and do
not import MMSegmentation. Where it is not installed, any other registered name raises
an ImportError that says how to install it.
"""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
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
        'ConfusionMatrixMetric',
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
    'hooks': (
        'CalibrationHook',
        'LabelMapHook',
        'PaintingHook',
        'PseudoLabelHook',
        'ShortLogProcessor',
    ),
}


_began: set[str] = set()


def register() -> None:
    """Register every name of `REGISTERED` with MMSegmentation, where it is installed.

    An error of our own modules is raised as it is; a missing or broken MMSegmentation
    is not an error here but where a name is asked for that needs it.
    """
    if _began:
        return
    _began.add('register')  # what it imports calls it again
    try:
        if mmseg_failure() is None:
            for package in REGISTERED:
                import_module(f'mmseg_jml.{package}')
            import_module('mmseg_jml.registry').MODELS.hand_over()
    except BaseException:
        _began.clear()
        raise


class _AfterMMSeg(MetaPathFinder):
    """Calls `register` as soon as somebody has imported MMSegmentation's registry.

    Its packages import the registry: where `mmseg.datasets` or `mmseg.models` is
    imported first, `register`, which needs both, waits until that one is complete.
    """

    def __init__(self) -> None:
        self.looking = False
        self.unfinished = 0  # packages of mmseg and of ours that are being imported

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> ModuleSpec | None:
        """Find the package as the other finders do; `register` follows it."""
        if self.looking or fullname.rpartition('.')[0] not in ('mmseg', __name__):
            return None
        self.looking = True  # the next line asks this finder, too
        try:
            spec = find_spec(fullname)
        finally:
            self.looking = False
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            self.unfinished += 1
            try:
                execute(module)
            finally:
                self.unfinished -= 1
            if not self.unfinished and 'mmseg.registry' in sys.modules:
                register()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def __getattr__(name: str) -> Any:
    if name in REGISTERED or name == 'functional':
        return import_module(f'mmseg_jml.{name}')
    for package, names in REGISTERED.items():
        if name in names:
            return getattr(import_module(f'mmseg_jml.{package}'), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


# A plain PyTorch program need not wait for MMSegmentation, which takes seconds.
if 'mmengine' in sys.modules:
    register()
else:
    sys.meta_path.insert(0, _AfterMMSeg())
