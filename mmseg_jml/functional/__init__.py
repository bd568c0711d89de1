"""Pure functions of tensors: torch alone, no modules, no configs."""

from .active_classes import MODES, ActiveClasses, active_classes
from .boundary import boundary_mask, smooth
from .class_sums import ClassSums, class_sums
from .cross_entropy import cross_entropy, kl_divergence
from .distillation import channel_wise_divergence, dist_loss
from .jaccard import (
    REDUCTIONS,
    VARIANTS,
    OverlapSums,
    Variant,
    jaccard_loss,
    overlap_loss,
    overlap_sums,
)
from .ranks import sum_over_ranks
from .targets import IGNORE_INDEX, Target, one_hot, valid_mask

__all__ = [
    'IGNORE_INDEX',
    'MODES',
    'REDUCTIONS',
    'VARIANTS',
    'ActiveClasses',
    'ClassSums',
    'OverlapSums',
    'Target',
    'Variant',
    'active_classes',
    'boundary_mask',
    'channel_wise_divergence',
    'class_sums',
    'cross_entropy',
    'dist_loss',
    'jaccard_loss',
    'kl_divergence',
    'one_hot',
    'overlap_loss',
    'overlap_sums',
    'smooth',
    'sum_over_ranks',
    'valid_mask',
]
