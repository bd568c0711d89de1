import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn
from torch.testing import assert_close

from mmseg_jml.evaluation import MergedSegTTAModel


class Segmentor(nn.Module):
    """As much of one as the merging asks for."""

    def __init__(self, out_channels):
        super().__init__()
        self.out_channels = out_channels
        self.decode_head = nn.Module()
        self.decode_head.threshold = 0.3

    test_step = None  # MMEngine asks that it is there; merging does not call it


def merge(out_channels, scores):
    samples = [SegDataSample(seg_logits=PixelData(data=each)) for each in scores]
    model = MergedSegTTAModel(module=Segmentor(out_channels))
    (merged,) = model.merge_preds([samples])
    return merged


def test_merged_logits_have_the_mean_of_the_probabilities():
    logits = torch.randn(3, 5, 6, 7) * 3
    merged = merge(5, logits)
    mean = logits.softmax(1).mean(0)
    assert_close(merged.seg_logits.data.softmax(0), mean)
    assert torch.equal(merged.pred_sem_seg.data, mean.argmax(0, keepdim=True))


def test_a_merged_binary_score_is_the_mean_probability():
    probs = torch.rand(3, 1, 6, 7)
    merged = merge(1, probs)
    assert_close(merged.seg_logits.data, probs.mean(0))
    assert_close(merged.pred_sem_seg.data, (probs.mean(0) > 0.3).float())


@pytest.mark.parametrize('out_channels', [1, 2])
def test_merged_scores_are_finite(out_channels):
    sure = torch.tensor([200.0, -200.0])[:out_channels].sigmoid()[:, None, None]
    scores = sure if out_channels == 1 else torch.tensor([200.0, -200.0])[:, None, None]
    assert merge(out_channels, [scores, scores]).seg_logits.data.isfinite().all()


@pytest.mark.parametrize('out_channels', [1, 3])
def test_half_precision_is_merged_in_float32(out_channels):
    scores = torch.randn(3, out_channels, 4, 5).half()
    merged = merge(out_channels, scores if out_channels > 1 else scores.sigmoid())
    expected = merge(
        out_channels, scores.float() if out_channels > 1 else scores.sigmoid().float()
    )
    assert torch.equal(merged.seg_logits.data, expected.seg_logits.data)
