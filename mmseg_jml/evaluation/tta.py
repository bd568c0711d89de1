"""Test-time augmentation that keeps the probabilities it merged."""

import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from ..functional.tensors import working_dtype

MERGED = 'tta_merged'


@MODELS.register_module()
class MergedSegTTAModel(SegTTAModel):
    """SegTTAModel whose data samples carry the merged scores, not the last ones.

    The mean of the augmentations' probabilities becomes `seg_logits` in the form that
    every other sample has: its logarithm, whose softmax it is, or for a binary head
    (`out_channels=1`) the probability itself. The prediction is that of the mean.
    MMSegmentation's own class takes the sigmoid of a binary head twice; this one does
    not. Options are those of `SegTTAModel`:

        tta_model = dict(type='MergedSegTTAModel')

    >>> MODELS.get('MergedSegTTAModel') is MergedSegTTAModel
    True
    """

    def merge_preds(
        self, data_samples_list: list[list[SegDataSample]]
    ) -> list[SegDataSample]:
        """One data sample of each picture's augmentations, merged into the first."""
        return [self._merge(samples) for samples in data_samples_list]

    def _merge(self, samples: list[SegDataSample]) -> SegDataSample:
        binary = self.module.out_channels == 1
        first = samples[0].seg_logits.data
        total = torch.zeros_like(first, dtype=working_dtype(first.dtype))
        for sample in samples:
            scores = sample.seg_logits.data.to(total.dtype)
            total += scores if binary else scores.softmax(0)
        probs = total / len(samples)
        if binary:
            prediction = (probs > self.module.decode_head.threshold).to(probs)
        else:
            prediction = probs.argmax(0, keepdim=True)
            # The smallest normal number keeps the logarithm finite.
            probs = probs.clamp_(min=torch.finfo(probs.dtype).tiny).log_()
        merged = samples[0]
        merged.set_data(
            {
                'seg_logits': PixelData(data=probs),
                'pred_sem_seg': PixelData(data=prediction),
            }
        )
        merged.set_metainfo({MERGED: True})
        return merged
