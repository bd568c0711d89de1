"""Label transforms: a hard label to a soft target, on the label's device."""

from .. import _require_mmseg as _require_mmseg
from .smoothing import BoundaryLabelSmoothing, LabelSmoothing, LabelTransform

__all__ = ['BoundaryLabelSmoothing', 'LabelSmoothing', 'LabelTransform']
