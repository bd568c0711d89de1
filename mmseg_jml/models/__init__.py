"""Models that MMSegmentation lacks, and the recipe's parameter groups."""

from .. import _require_mmseg as _require_mmseg
from .optional_backbone import optional_backbone
from .parameter_groups import NoFlatDecayConstructor
from .semi_preprocessor import SemiSegDataPreprocessor
from .stem_resnet import StemResNetV1c
from .unet_head import UNetHead

__all__ = [
    'NoFlatDecayConstructor',
    'SemiSegDataPreprocessor',
    'StemResNetV1c',
    'UNetHead',
    'optional_backbone',
]
