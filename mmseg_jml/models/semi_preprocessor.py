"""The data preprocessor of a batch that has several branches."""

from collections.abc import Mapping
from typing import Any

from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS


@MODELS.register_module()
class SemiSegDataPreprocessor(SegDataPreProcessor):
    """SegDataPreProcessor for a batch of branches, or an ordinary batch.

    `inputs` and `data_samples` of a training batch are dicts with one list each branch
    ('labelled', 'weak', 'strong', ...); so is the result, of what SegDataPreProcessor
    makes of each list. A batch of validation has no branches. Options are those of
    SegDataPreProcessor.

    >>> import torch
    >>> from mmseg.structures import SegDataSample
    >>> prepare = SemiSegDataPreprocessor(size=(4, 6))
    >>> pictures = {'weak': [torch.zeros(3, 2, 6)], 'strong': [torch.zeros(3, 2, 6)]}
    >>> samples = {branch: [SegDataSample()] for branch in pictures}
    >>> batch = prepare({'inputs': pictures, 'data_samples': samples}, training=True)
    >>> {branch: tuple(batch['inputs'][branch].shape) for branch in pictures}
    {'weak': (1, 3, 4, 6), 'strong': (1, 3, 4, 6)}
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """The batch on the device, normalized and padded, by branch."""
        if not isinstance(data['inputs'], Mapping):
            return super().forward(data, training)
        branches = {
            branch: super(SemiSegDataPreprocessor, self).forward(
                {'inputs': inputs, 'data_samples': data['data_samples'][branch]},
                training,
            )
            for branch, inputs in data['inputs'].items()
        }
        return {
            key: {branch: prepared[key] for branch, prepared in branches.items()}
            for key in ('inputs', 'data_samples')
        }
