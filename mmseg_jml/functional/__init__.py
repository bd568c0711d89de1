"""Pure functions of tensors: torch alone, no modules, no configs."""

from .active_classes import MODES, ActiveClasses, active_classes
from .bootstrap import percentile_interval, resample_counts
from .boundary import boundary_mask, smooth
from .calibration import (
    FINE_BINS,
    BinTable,
    Closed,
    adaptive_calibration_error,
    bin_index,
    bin_sums,
    bin_table,
    bin_tables,
    calibration_measures,
    expected_calibration_error,
    merge_tables,
)
from .cross_entropy import cross_entropy, kl_divergence
from .distillation import (
    channel_wise_divergence,
    correlation_losses,
    teacher_divergence,
)
from .jaccard import (
    REDUCTIONS,
    VARIANTS,
    OverlapSums,
    Variant,
    jaccard_loss,
    overlap_loss,
    overlap_sums,
)
from .one_pass.class_sums import ClassSums, Target, class_sums
from .overlap import (
    Areas,
    class_areas,
    confusion_counts,
    fine_grained_measures,
    foreground_measures,
    picture_measures,
)
from .pixel_scores import (
    PixelScores,
    binary_scores,
    classwise_tables,
    softmax_scores,
)
from .pseudo_labels import (
    PseudoLabels,
    cutmix_masks,
    drop_channels,
    mix,
    pseudo_labels,
    ramp_up,
    supervision_counts,
)
from .ranks import sum_over_ranks
from .scaling import Scaling, fit_temperature, fit_vector_scaling, scale_logits
from .targets import IGNORE_INDEX, one_hot, valid_mask
from .uncertainty import class_probs, confidence_map, entropy_map

__all__ = [
    'FINE_BINS',
    'IGNORE_INDEX',
    'MODES',
    'REDUCTIONS',
    'VARIANTS',
    'ActiveClasses',
    'Areas',
    'BinTable',
    'ClassSums',
    'Closed',
    'OverlapSums',
    'PixelScores',
    'PseudoLabels',
    'Scaling',
    'Target',
    'Variant',
    'active_classes',
    'adaptive_calibration_error',
    'bin_index',
    'bin_sums',
    'bin_table',
    'bin_tables',
    'binary_scores',
    'boundary_mask',
    'calibration_measures',
    'channel_wise_divergence',
    'class_areas',
    'class_probs',
    'class_sums',
    'classwise_tables',
    'confidence_map',
    'confusion_counts',
    'correlation_losses',
    'cross_entropy',
    'cutmix_masks',
    'drop_channels',
    'entropy_map',
    'expected_calibration_error',
    'fine_grained_measures',
    'fit_temperature',
    'fit_vector_scaling',
    'foreground_measures',
    'jaccard_loss',
    'kl_divergence',
    'merge_tables',
    'mix',
    'one_hot',
    'overlap_loss',
    'overlap_sums',
    'percentile_interval',
    'picture_measures',
    'pseudo_labels',
    'ramp_up',
    'resample_counts',
    'scale_logits',
    'smooth',
    'softmax_scores',
    'sum_over_ranks',
    'supervision_counts',
    'teacher_divergence',
    'valid_mask',
]
