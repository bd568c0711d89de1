"""Which of its two models a semi-supervised segmentor predicts with."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import load_state_dict
from torch import nn
from torch.nn.functional import interpolate
from torch.testing import assert_close

from tests.segmentors.distilled import SIZE, batch, build, total
from tests.segmentors.semi_supervised import (
    CONSTANT,
    branches,
    semi_config,
    sgd,
)


def predictions(model, eval_model):
    model.eval_model = eval_model
    inputs, samples = batch()
    for sample in samples:
        sample.set_metainfo({'ori_shape': SIZE, 'img_shape': SIZE})
    with torch.no_grad():
        return model.eval().predict(inputs, samples)


def scores(samples):
    return torch.stack([sample.seg_logits.data for sample in samples])


def test_either_model_or_both_predict():
    model = build(semi_config(ema=CONSTANT)).train()
    optim = sgd(model)
    for seed in range(2):
        optim.update_params(total(model.loss(*branches(seed=seed))))
    inputs, _ = batch()
    model.eval_model = 'student'
    with torch.no_grad():
        student = model.eval()(inputs)
        average = model.teacher.module(inputs)
    both = predictions(model, 'both')
    for eval_model, logits in (('student', student), ('ema', average)):
        found = predictions(model, eval_model)
        assert {sample.eval_model for sample in found} == {eval_model}
        assert_close(scores(found), interpolate(logits, SIZE, mode='bilinear'))
        inside = [s.student for s in both] if eval_model == 'student' else both
        assert {sample.eval_model for sample in inside} == {eval_model}
        assert torch.equal(scores(inside), scores(found))
    assert not torch.equal(student, average)


@pytest.fixture(scope='module')
def trained():
    """A model whose student and average differ, and images."""
    model = build(semi_config(ema=CONSTANT)).train()
    optim = sgd(model)
    for seed in range(2):
        optim.update_params(total(model.loss(*branches(seed=seed))))
    return model.eval(), batch()[0]


META = {'ori_shape': SIZE, 'img_shape': SIZE}
# Ways to get logits from a segmentor, in the size of its head or of the image.
PATHS = {
    'tensor mode': lambda model, x: model(x),
    'trace': lambda model, x: torch.jit.trace(model, (x,))(x),
    'export': lambda model, x: torch.export.export(model, (x,)).module()(x),
    'encode_decode': lambda model, x: model.encode_decode(x, [META] * len(x)),
    'inference': lambda model, x: model.inference(x, [META] * len(x)),
    'whole_inference': lambda model, x: model.whole_inference(x, [META] * len(x)),
    'deepcopy': lambda model, x: copy.deepcopy(model)(x),
}


# The network of the tests looks at the size of its input.
@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
@pytest.mark.parametrize('eval_model', ['ema', 'student', 'both'])
@pytest.mark.parametrize('path', PATHS)
@torch.no_grad()
def test_every_way_out_of_the_model_gives_what_predict_gives(path, eval_model, trained):
    model, inputs = trained
    expected = scores(predictions(model, eval_model))
    logits = PATHS[path](model, inputs)
    assert_close(interpolate(logits, SIZE, mode='bilinear'), expected)


@torch.no_grad()
def test_windows_are_those_of_the_model_that_predicts(trained):
    model, inputs = trained
    model.eval_model = 'ema'
    windows = Config({'mode': 'slide', 'crop_size': SIZE, 'stride': SIZE})
    whole = model.inference(inputs, [META] * 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, 'test_cfg', windows)
        patch.setattr(model.teacher.module, 'test_cfg', windows)
        assert_close(model.inference(inputs, [dict(META), dict(META)]), whole)


@pytest.mark.parametrize('load', [load_state_dict, nn.Module.load_state_dict])
@torch.no_grad()
def test_a_loaded_average_predicts(load, trained):
    model, inputs = trained
    model.eval_model = 'ema'
    loaded = build(semi_config(ema=CONSTANT)).eval()
    load(loaded, model.state_dict())
    assert_close(loaded(inputs), model(inputs))


@torch.no_grad()
def test_the_average_of_a_copy_that_was_filled_tensor_by_tensor_predicts(trained):
    """So do EMAHook's copies of a model come by their values."""
    model, inputs = trained
    model.eval_model = 'ema'
    copied = build(semi_config(ema=CONSTANT))
    for mine, given in zip(
        copied.state_dict().values(), model.state_dict().values(), strict=True
    ):
        mine.copy_(given)
    assert_close(copied.eval()(inputs), model(inputs))


def test_the_losses_are_the_students_whatever_predicts(trained):
    model, _ = trained
    found = []
    for model.eval_model in ('ema', 'student'):
        losses = model.loss(*branches())  # in eval() no step is taken
        found.append({key: value for key, value in losses.items() if 'loss' in key})
    assert found[0] == found[1]


def test_before_the_first_step_the_average_predicts_as_the_student():
    model = build(semi_config())
    nn.init.normal_(model.decode_head.conv_seg.weight)
    average, student = (predictions(model, name) for name in ('ema', 'student'))
    assert torch.equal(scores(average), scores(student))


def test_pictures_without_data_samples_are_predicted():
    (found,) = build(semi_config(eval_model='both')).eval().predict(batch(1)[0])
    assert found.student.pred_sem_seg.shape == SIZE
