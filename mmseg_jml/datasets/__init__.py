"""Data sets, and the check of one before it is trained on."""

from .. import _require_mmseg as _require_mmseg
from .check import check_dataset, find_problems
from .deepglobe_land import DeepGlobeLandDataset
from .shape_scene import ShapeScene
from .synthetic_shapes import SyntheticShapesDataset

__all__ = [
    'DeepGlobeLandDataset',
    'ShapeScene',
    'SyntheticShapesDataset',
    'check_dataset',
    'find_problems',
]
