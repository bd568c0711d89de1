"""Bad options and bad tensors are refused by a sentence: what, allowed, given."""

import math

import numpy as np
import pytest
import torch

from mmseg_jml.labels import BoundaryLabelSmoothing, LabelSmoothing
from mmseg_jml.losses import JaccardMetricLoss, SoftCrossEntropyLoss
from tests.losses.cases import case

JML_OPTIONS = [
    (dict(variant='jml3'), r"`variant` must be one of .*'jml1'.*got 'jml3'"),
    (dict(active_classes='some'), r"`active_classes` must be one of .*got 'some'"),
    (dict(reduction=dict(mean=1.0)), r"`reduction` keys .*batch.*got \['mean'\]"),
    (dict(reduction=dict(image=-1.0)), r"`reduction\['image'\]` must be .* >= 0.*-1"),
    (dict(reduction=dict(image=0.0)), r'`reduction` weights must not all be 0'),
    (dict(reduction=dict(image=math.nan)), r"`reduction\['image'\]`.*nan"),
    (dict(threshold=1.0), r'`threshold` must be in \[0, 1\), got 1.0'),
    (dict(threshold=-0.1), r'`threshold` must be in \[0, 1\), got -0.1'),
    (dict(alpha=-1.0), r'`alpha` must be a finite number >= 0, got -1.0'),
    (dict(beta=math.inf), r'`beta` must be a finite number >= 0, got inf'),
    (dict(gamma=0.5), r'`gamma` must be a finite number >= 1, got 0.5'),
    (dict(smooth=-1e-3), r'`smooth` must be a finite number >= 0, got -0.001'),
    (dict(variant='sjl_l2', alpha=0.3), r"must be equal with variant 'sjl_l2'"),
]
SHARED_OPTIONS = [
    (dict(temperature=0.0), r'`temperature` must be a finite number > 0, got 0.0'),
    (dict(temperature=math.nan), r'`temperature` .*got nan'),
    (dict(loss_weight=-1.0), r'`loss_weight` must be a finite number >= 0, got -1.0'),
    (dict(class_weight=[1.0, -1.0]), r'`class_weight` must .*>= 0, got -1.0'),
    (dict(loss_name='jml'), r"`loss_name` must contain 'loss'.*got 'jml'"),
]
WRONG_TYPES = [
    (dict(loss_weight='1'), r"`loss_weight` must be a number, got '1'"),
    (dict(use_sigmoid='no'), r"`use_sigmoid` must be True or False, got 'no'"),
    (dict(class_weight='equal'), r"`class_weight` must be None or a list.*'equal'"),
    (dict(ignore_index=None), r'`ignore_index` must be an int, got None'),
    (dict(label_smoothing=0.1), r'`label_smoothing` must be None, a config .*got 0.1'),
]


@pytest.mark.parametrize(('options', 'message'), JML_OPTIONS + SHARED_OPTIONS)
def test_jml_refuses_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        JaccardMetricLoss(**options)


@pytest.mark.parametrize(('options', 'message'), SHARED_OPTIONS)
def test_ce_refuses_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        SoftCrossEntropyLoss(**options)


@pytest.mark.parametrize(('options', 'message'), WRONG_TYPES)
def test_options_of_a_wrong_type_are_refused(options, message):
    with pytest.raises(TypeError, match=message):
        JaccardMetricLoss(**options)


@pytest.mark.parametrize('option', ['avg_non_ignore', 'reduction_override', 'eps'])
def test_unknown_options_are_refused(option):
    with pytest.raises(TypeError, match=option):
        JaccardMetricLoss(**{option: 1})


@pytest.mark.parametrize(
    ('make', 'error', 'message'),
    [
        (lambda: BoundaryLabelSmoothing(kernel_size=4), ValueError, 'odd .*got 4'),
        (lambda: BoundaryLabelSmoothing(kernel_size=-3), ValueError, 'odd .*got -3'),
        (lambda: BoundaryLabelSmoothing(kernel_size=3.0), TypeError, 'an int, got 3.0'),
        (
            lambda: BoundaryLabelSmoothing(epsilon=1.5),
            ValueError,
            r'`epsilon` must be in \[0, 1\], got 1.5',
        ),
        (lambda: LabelSmoothing(epsilon='a'), TypeError, "`epsilon` .*got 'a'"),
        (
            lambda: BoundaryLabelSmoothing(ignore_neighbours=1),
            TypeError,
            '`ignore_neighbours` must be True or False, got 1',
        ),
    ],
)
def test_label_transforms_refuse_bad_options(make, error, message):
    with pytest.raises(error, match=message):
        make()


LOGITS, LABEL = case()
SOFT = LOGITS.detach().softmax(1)
TENSORS = {
    'an id past the classes': (LOGITS, LABEL + 5, {}, r'ids must be in \[0, 5\).*\[5'),
    'a negative id': (LOGITS, LABEL - 1, {}, r'ids must be in \[0, 5\).*-1'),
    'a binary id past 1': (LOGITS[:, :1], LABEL, {}, r'ids must be in \[0, 2\)'),
    'a label of another size': (LOGITS, LABEL[:, 1:], {}, r'`target` must be \(2, 9'),
    'masks with an ignored value': (LOGITS, SOFT.long() + 255, {}, '0 or 1 .*`weight`'),
    'masks of other classes': (
        LOGITS,
        SOFT.long()[:, 1:],
        {},
        r'`target` must be \(2, 9, 11\)',
    ),
    'a floating label': (
        LOGITS,
        LABEL.float(),
        {},
        r'shape of the logits.*\(2, 9.*long',
    ),
    'another class count': (LOGITS, SOFT[:, 1:], {}, r'\(2, 5, 9, 11\).*\(2, 4, 9, 11'),
    'soft above one': (LOGITS, SOFT * 9, {}, r'`target` must be in \[0, 1\]'),
    'soft with a NaN': (LOGITS, SOFT * math.nan, {}, r'`target` must be in \[0, 1\]'),
    'a weight of another size': (
        LOGITS,
        LABEL,
        dict(weight=torch.ones(2, 9, 1)),
        r'`weight` must be \(2, 9, 11\), got \(2, 9, 1\)',
    ),
    'a negative weight': (
        LOGITS,
        LABEL,
        dict(weight=-torch.ones(2, 9, 11)),
        r'`weight` must be >= 0, got -1',
    ),
    'logits without pixels': (LOGITS[0, :, 0], LABEL, {}, r'`logits` must be \(N,C,H'),
    'a loss a pixel': (
        LOGITS,
        LABEL,
        dict(reduction_override='none'),
        "`reduction_override` must be None, got 'none'",
    ),
    'an average factor': (LOGITS, LABEL, dict(avg_factor=2.0), '`avg_factor` must be'),
}


@pytest.mark.parametrize('loss_type', [JaccardMetricLoss, SoftCrossEntropyLoss])
@pytest.mark.parametrize('name', TENSORS)
def test_tensors_that_do_not_fit_are_refused(loss_type, name):
    logits, target, more, message = TENSORS[name]
    loss = loss_type(use_sigmoid=logits.ndim > 1 and logits.shape[1] == 1)
    with pytest.raises(ValueError, match=message):
        loss(logits, target, **more)


@pytest.mark.parametrize('target', [SOFT.to(torch.complex64)])
def test_a_target_that_is_neither_hard_nor_soft_is_refused(target):
    with pytest.raises(TypeError, match='`target` must be no complex'):
        JaccardMetricLoss()(LOGITS, target)


def test_integer_logits_are_refused():
    with pytest.raises(TypeError, match=r'`logits` must be floating, got torch.int64'):
        JaccardMetricLoss()(LOGITS.long(), LABEL)


def test_softmax_over_one_channel_is_refused():
    with pytest.raises(ValueError, match=r'at least 2 channels.*use_sigmoid=True'):
        JaccardMetricLoss()(LOGITS[:, :1], LABEL)


def test_class_weights_of_another_length_are_refused():
    loss = JaccardMetricLoss(class_weight=[1.0, 2.0])
    with pytest.raises(ValueError, match='one number for each class, 5, got 2'):
        loss(LOGITS, LABEL)


def test_a_soft_target_is_not_smoothed_again():
    loss = JaccardMetricLoss(label_smoothing=dict(type='LabelSmoothing'))
    with pytest.raises(ValueError, match='a target that is soft already'):
        loss(LOGITS, SOFT)


def test_numpy_scalars_are_numbers():
    numbers = dict(temperature=2.0, loss_weight=0.5, gamma=2.0, ignore_index=255)
    types = (np.float32, np.float32, np.float32, np.int64)
    scalars = {k: t(v) for (k, v), t in zip(numbers.items(), types, strict=True)}
    weights = [1.0, 2.0, 0.5, 1.0, 3.0]
    given = JaccardMetricLoss(**scalars, class_weight=list(np.float32(weights)))
    expected = JaccardMetricLoss(**numbers, class_weight=weights)
    assert torch.equal(given(LOGITS, LABEL), expected(LOGITS, LABEL))
