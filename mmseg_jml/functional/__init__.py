"""Pure functions of tensors, which need PyTorch alone.

Here stands what a user calls; its parts are imported from their own modules.
"""

from .active_classes import active_classes
from .boundary import boundary_mask, smooth_target
from .calibration import (
    BinTable,
    adaptive_calibration_error,
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
from .jaccard import jaccard_loss
from .overlap import (
    Areas,
    class_areas,
    confusion_counts,
    fine_grained_measures,
)
from .pixel_scores import (
    binary_scores,
    classwise_tables,
    softmax_scores,
)
from .pseudo_labels import (
    PseudoLabels,
    cutmix,
    cutmix_masks,
    drop_channels,
    pseudo_labels,
    ramp_up,
)
from .scaling import (
    Scaling,
    fit_temperature,
    fit_vector_scaling,
    scale_logits,
)
from .targets import valid_mask
from .uncertainty import confidence_map, entropy_map

__all__ = [
    'Areas',
    'BinTable',
    'PseudoLabels',
    'Scaling',
    'active_classes',
    'adaptive_calibration_error',
    'bin_table',
    'bin_tables',
    'binary_scores',
    'boundary_mask',
    'calibration_measures',
    'channel_wise_divergence',
    'class_areas',
    'classwise_tables',
    'confidence_map',
    'confusion_counts',
    'correlation_losses',
    'cross_entropy',
    'cutmix',
    'cutmix_masks',
    'drop_channels',
    'entropy_map',
    'expected_calibration_error',
    'fine_grained_measures',
    'fit_temperature',
    'fit_vector_scaling',
    'jaccard_loss',
    'kl_divergence',
    'merge_tables',
    'pseudo_labels',
    'ramp_up',
    'scale_logits',
    'smooth_target',
    'softmax_scores',
    'teacher_divergence',
    'valid_mask',
]
