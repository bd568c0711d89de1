"""Datasets, and the check of one before it is trained on."""

from .. import _require_mmseg as _require_mmseg
from .check import check_dataset, find_problems
from .deepglobe_land import DeepGlobeLandDataset
from .photometric import StrongAugmentation
from .semi_sampler import SemiSupervisedSampler
from .semi_supervised import Draw, SemiSupervisedDataset, branch_collate
from .shape_scene import ShapeScene
from .synthetic_shapes import SyntheticShapesDataset
from .views import LoadOptionalAnnotations

__all__ = [
    'DeepGlobeLandDataset',
    'Draw',
    'LoadOptionalAnnotations',
    'SemiSupervisedDataset',
    'SemiSupervisedSampler',
    'ShapeScene',
    'StrongAugmentation',
    'SyntheticShapesDataset',
    'branch_collate',
    'check_dataset',
    'find_problems',
]
