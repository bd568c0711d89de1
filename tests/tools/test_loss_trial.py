"""Losses of a head of one channel, tried before a training run."""

import pytest
from mmengine.config import Config

from mmseg_jml.cli.loss_trial import check_losses, loss_problems

ONE = {'type': 'FCNHead', 'num_classes': 2, 'out_channels': 1}


def problems(loss, **head):
    """Of a model with one loss in its head."""
    given = {**ONE, 'loss_decode': loss, **head}
    return list(loss_problems(Config({'model': {'decode_head': given}})))


@pytest.mark.parametrize(
    'loss',
    [
        {'type': 'CrossEntropyLoss'},
        {'type': 'CrossEntropyLoss', 'use_sigmoid': False},
        {'type': 'DiceLoss', 'use_sigmoid': False},
        {'type': 'LovaszLoss', 'reduction': 'none'},
        {'type': 'JaccardMetricLoss'},
        {'type': 'SoftCrossEntropyLoss'},
        {
            'type': 'CompoundLoss',
            'losses': [{'type': 'SoftCrossEntropyLoss'}, {'type': 'JaccardMetricLoss'}],
        },
    ],
    ids=lambda loss: f'{loss["type"]}-{len(loss)}',
)
def test_a_softmax_over_one_channel_is_refused(loss):
    found = problems(loss)
    assert found
    for sentence in found:
        assert sentence.startswith('`decode_head` has one channel, which ')
        assert sentence.endswith('or give the head two channels')


@pytest.mark.parametrize(
    'loss',
    [
        {'type': 'CrossEntropyLoss', 'use_sigmoid': True},
        {'type': 'DiceLoss', 'use_sigmoid': True},
        {'type': 'JaccardMetricLoss', 'use_sigmoid': True},
        {'type': 'SoftCrossEntropyLoss', 'use_sigmoid': True},
        [
            {'type': 'CrossEntropyLoss', 'use_sigmoid': True},
            {'type': 'CrossEntropyLoss', 'loss_weight': 0.0},
        ],
    ],
    ids=str,
)
def test_a_sigmoid_over_one_channel_passes(loss):
    if isinstance(loss, list):  # a loss that counts nothing hinders nothing
        loss[1]['use_sigmoid'] = True
    assert problems(loss) == []


@pytest.mark.parametrize(
    'head',
    [
        {'out_channels': 2},
        {'out_channels': None},
        {'type': 'PointHead'},  # calls its losses in a way of its own
        {'type': 'NoSuchHead'},
    ],
    ids=str,
)
def test_other_heads_are_passed_over(head):
    assert problems({'type': 'CrossEntropyLoss'}, **head) == []


def test_the_loss_that_a_head_has_by_default_is_tried_in_every_head():
    model = {'decode_head': [ONE, ONE], 'auxiliary_head': {**ONE, 'num_classes': 1}}
    found = list(loss_problems(Config({'model': model})))
    assert [sentence.split('`')[1] for sentence in found] == [
        'decode_head',
        'decode_head',
        'auxiliary_head',
    ]


def test_the_refusal_names_the_flag_that_overrides_it():
    with pytest.raises(ValueError, match=r'CrossEntropyLoss.*\n.*`--no-check`'):
        check_losses(Config({'model': {'decode_head': ONE}}))


def test_a_config_without_a_model_passes():
    check_losses(Config({}))
