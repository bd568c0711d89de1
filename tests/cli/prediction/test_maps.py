"""The maps of an image are those of MMSegmentation's own postprocessing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmseg.models import BaseSegmentor
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample

from mmseg_jml.cli.prediction import maps as maps_module
from mmseg_jml.cli.prediction.maps import predict, resized
from mmseg_jml.cli.prediction.tiles import Tiling


class Pointwise:
    """A segmentor in which each pixel's logits depend on that pixel alone."""

    def __init__(self, channels, align_corners=False):
        self.out_channels = channels
        self.align_corners = align_corners
        self.decode_head = SimpleNamespace(threshold=0.4)
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(channels, 3, generator=generator) / 64

    def test_step(self, batch):
        (image,) = batch['inputs']
        logits = torch.einsum('ck,khw->chw', self.weight, image.float())[None]
        return BaseSegmentor.postprocess_result(self, logits, batch['data_samples'])


def sample_of(size, own_size):
    """An image that the pipeline resized from `own_size` to `size`."""
    generator = torch.Generator().manual_seed(1)
    meta = {'ori_shape': own_size, 'img_shape': size, 'pad_shape': size}
    return {
        'inputs': torch.randint(-99, 99, (3, *size), generator=generator),
        'data_samples': SegDataSample(metainfo=meta),
    }


def reference(model, sample):
    """Ids, confidence and entropy of the full-size logits."""
    batch = {key: [value] for key, value in sample.items()}
    batch['data_samples'] = [sample['data_samples'].clone()]
    (output,) = model.test_step(batch)
    scores = output.seg_logits.data.double()
    probs = scores.softmax(0) if len(scores) > 1 else torch.cat([1 - scores, scores])
    ids = output.pred_sem_seg.data.long()
    confidence = probs.gather(0, ids)[0]
    return ids[0], confidence, -torch.xlogy(probs, probs).sum(0)


def assert_same(found, expected):
    ids, confidence, entropy = (values.numpy() for values in expected)
    np.testing.assert_array_equal(found.prediction, ids)
    np.testing.assert_allclose(found.confidence, confidence, atol=1e-5)
    np.testing.assert_allclose(found.entropy, entropy, atol=1e-5)


@pytest.mark.parametrize('channels', [1, 2, 7])
@pytest.mark.parametrize('tiling', [None, Tiling(16, 5), Tiling(64, 9)])
def test_tiles_of_a_pointwise_model_give_the_whole_prediction(
    channels, tiling, monkeypatch
):
    monkeypatch.setattr(maps_module, 'STRIP', 500)
    model, sample = Pointwise(channels), sample_of((37, 50), (37, 50))
    assert_same(predict(model, sample, tiling), reference(model, sample))


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('own_size', [(80, 61), (20, 100)])
@pytest.mark.parametrize(
    ('channels', 'tiling'),
    [(1, None), (1, Tiling(16, 5)), (5, None), (5, Tiling(16, 5))],
)
def test_a_resized_image_is_predicted_at_its_own_size(
    channels, tiling, own_size, align_corners, monkeypatch
):
    monkeypatch.setattr(maps_module, 'STRIP', 500)
    model = Pointwise(channels, align_corners)
    sample = sample_of((37, 50), own_size)
    assert_same(predict(model, sample, tiling), reference(model, sample))


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [(80, 61), (20, 100), (1, 1), (37, 50)])
def test_resizing_in_strips_is_resizing(size, align_corners, monkeypatch):
    monkeypatch.setattr(maps_module, 'STRIP', 700)
    scores = torch.randn(3, 37, 50, generator=torch.Generator().manual_seed(0))
    found = torch.cat(list(resized(scores, size, align_corners)), 1)
    expected = resize(
        scores[None],
        size,
        mode='bilinear',
        align_corners=align_corners,
        warning=False,
    )
    torch.testing.assert_close(found, expected[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('tiling', [None, Tiling(16, 4)])
def test_scores_that_are_no_numbers_are_an_error(tiling):
    model = Pointwise(3)
    model.weight[1, 1] = torch.nan
    with pytest.raises(ValueError, match='scores of the model contain NaN'):
        predict(model, sample_of((20, 30), (20, 30)), tiling)


def test_many_classes_get_sixteen_bits():
    model = Pointwise(300)
    model.weight[:] = 0
    model.weight[299] = 1
    sample = sample_of((2, 3), (2, 3))
    sample['inputs'] = torch.ones(3, 2, 3)
    found = predict(model, sample)
    assert found.prediction.dtype == np.uint16
    assert found.prediction.min() == 299


def test_the_sample_is_left_as_it_was():
    sample = sample_of((37, 50), (74, 100))
    predict(Pointwise(3), sample, Tiling(16, 4))
    assert sample['data_samples'].ori_shape == (74, 100)
    assert sample['data_samples'].img_shape == (37, 50)
