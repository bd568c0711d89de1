"""Which of its two models a semi-supervised segmentor predicts with."""

import torch
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


def test_before_the_first_step_the_average_predicts_as_the_student():
    model = build(semi_config())
    nn.init.normal_(model.decode_head.conv_seg.weight)
    average, student = (predictions(model, name) for name in ('ema', 'student'))
    assert torch.equal(scores(average), scores(student))


def test_pictures_without_data_samples_are_predicted():
    (found,) = build(semi_config(eval_model='both')).eval().predict(batch(1)[0])
    assert found.student.pred_sem_seg.shape == SIZE
