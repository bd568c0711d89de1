"""Label transforms: a hard label to a soft target, on the label's device."""

from .smoothing import BoundaryLabelSmoothing, LabelSmoothing, LabelTransform

__all__ = ['BoundaryLabelSmoothing', 'LabelSmoothing', 'LabelTransform']
