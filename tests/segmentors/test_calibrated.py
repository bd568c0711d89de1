import copy
import math

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from tests.processes import ROOT

CLASSES = 4
VECTOR = {'scale': [0.5, 1.0, 2.0, 1.5], 'offset': [0.3, 0.0, -0.2, 1.0]}
SLIDE = {'mode': 'slide', 'crop_size': (16, 16), 'stride': (10, 10)}


def build(scaling=None, channels=CLASSES, **changes):
    """The tiny model, plain or calibrated, with the same weights each time."""
    init_default_scope('mmseg')
    cfg = copy.deepcopy(Config.fromfile(ROOT / 'tests/tools/tiny.py').model)
    cfg.decode_head.update(num_classes=max(channels, 2), out_channels=channels)
    cfg.decode_head.loss_decode.use_sigmoid = channels == 1
    if channels == 1:
        cfg.decode_head.threshold = 0.5
    cfg.update(changes)
    if scaling is not None:
        cfg.update(type='CalibratedEncoderDecoder', scaling=scaling)
    torch.manual_seed(0)
    return MODELS.build(cfg).eval()


def predict(model, size=(32, 48), shown=(40, 60)):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(2, 3, *size, generator=generator)
    samples = [SegDataSample(metainfo={'ori_shape': shown, 'img_shape': size})] * 2
    samples = [copy.deepcopy(sample) for sample in samples]
    with torch.no_grad():
        outputs = model.predict(inputs, samples)
    scores = torch.stack([output.seg_logits.data for output in outputs])
    return scores, torch.stack([output.pred_sem_seg.data[:, :] for output in outputs])


@pytest.mark.parametrize('changes', [{}, {'test_cfg': SLIDE}], ids=['whole', 'slide'])
def test_a_temperature_divides_the_logits_and_keeps_the_prediction(changes):
    plain, prediction = predict(build(**changes))
    scaled, same = predict(build({'temperature': 2.0}, **changes))
    torch.testing.assert_close(scaled, plain / 2)
    assert torch.equal(same, prediction)


@pytest.mark.parametrize('changes', [{}, {'test_cfg': SLIDE}], ids=['whole', 'slide'])
def test_a_vector_scales_and_moves_each_class(changes):
    plain, _ = predict(build(**changes))
    scaled, prediction = predict(build(VECTOR, **changes))
    scale, offset = (torch.tensor(v).view(1, -1, 1, 1) for v in VECTOR.values())
    torch.testing.assert_close(scaled, plain * scale + offset)
    assert torch.equal(prediction, scaled.argmax(1, keepdim=True))


@pytest.mark.parametrize(
    ('scaling', 'scale', 'offset'),
    [({'temperature': 2.0}, 0.5, 0), ({'scale': [3.0], 'offset': [1.0]}, 3, 1)],
)
def test_a_binary_heads_logit_is_scaled_before_the_sigmoid(scaling, scale, offset):
    shown = (32, 48)  # without resizing the sigmoid can be undone
    plain, _ = predict(build(channels=1), shown=shown)
    scaled, _ = predict(build(scaling, channels=1), shown=shown)
    torch.testing.assert_close(scaled, (plain.logit() * scale + offset).sigmoid())


META = {'ori_shape': (32, 48), 'img_shape': (32, 48)}


# The network of the tests looks at the size of its input.
@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
@pytest.mark.parametrize(
    'path',
    [
        lambda model, x: model(x),
        lambda model, x: torch.jit.trace(model, (x,))(x),
        lambda model, x: torch.export.export(model, (x,)).module()(x),
        lambda model, x: model.encode_decode(x, [META]),
        lambda model, x: model.inference(x, [META]),
        lambda model, x: model.slide_inference(x, [dict(META)]),
    ],
    ids=['tensor', 'trace', 'export', 'encode_decode', 'inference', 'slide'],
)
@torch.no_grad()
def test_every_way_out_of_the_model_is_calibrated(path):
    inputs = torch.randn(1, 3, 32, 48, generator=torch.Generator().manual_seed(3))
    plain, calibrated = (
        path(build(scaling, test_cfg=SLIDE), inputs) for scaling in (None, VECTOR)
    )
    scale, offset = (torch.tensor(v).view(1, -1, 1, 1) for v in VECTOR.values())
    torch.testing.assert_close(calibrated, plain * scale + offset)


def test_a_checkpoint_has_the_plain_models_keys():
    calibrated = build(VECTOR).state_dict()
    plain = build().state_dict()
    assert calibrated.keys() == plain.keys()
    assert all(torch.equal(calibrated[key], plain[key]) for key in plain)


def test_a_plain_checkpoint_leaves_the_scaling_as_configured():
    model = build(VECTOR)
    model.load_state_dict(build().state_dict())
    assert model.logit_scale.tolist() == VECTOR['scale']


def test_training_sees_the_heads_own_logits():
    inputs = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(2))
    label = torch.zeros(1, 32, 48, dtype=torch.long)
    losses = []
    for model in (build(), build({'temperature': 5.0})):
        sample = SegDataSample()
        sample.set_data({'gt_sem_seg': _pixels(label)})
        losses.append(model.loss(inputs, [sample] * 2)['decode.loss_jml'])
    assert torch.equal(*losses)


def _pixels(data):
    from mmengine.structures import PixelData

    return PixelData(data=data)


def test_scaling_moves_with_the_model():
    model = build({'temperature': 2.0}).double()
    assert model.logit_scale.dtype == torch.float64


@pytest.mark.parametrize(
    ('scaling', 'error', 'words'),
    [
        (2.0, TypeError, r'`scaling` must be dict\(temperature=...\) or .* got 2.0'),
        ({}, TypeError, r'`scaling` must be dict'),
        ({'temperature': 1.0, **VECTOR}, TypeError, '`scaling` must be dict'),
        ({'temperature': 0.0}, ValueError, r'`scaling.temperature` must be .* > 0'),
        ({'temperature': -1}, ValueError, r'`scaling.temperature` must be .* > 0'),
        ({'temperature': '2'}, TypeError, '`scaling.temperature` must be a number'),
        (
            VECTOR | {'scale': [1.0]},
            ValueError,
            r'`scaling.scale` .* of the 4 channels',
        ),
        (VECTOR | {'offset': 1.0}, ValueError, r'`scaling.offset` .* got 1.0'),
        (VECTOR | {'scale': [math.nan] * 4}, ValueError, '`scaling.scale` must be'),
    ],
)
def test_a_scaling_that_cannot_work_is_refused(scaling, error, words):
    with pytest.raises(error, match=words):
        build(scaling)
