"""What a semi-supervised segmentor refuses, and in which words."""

import pytest

from tests.segmentors.distilled import batch, build, knet_head
from tests.segmentors.semi_supervised import (
    CE,
    FIXMATCH,
    UNIMATCH,
    branches,
    semi_config,
)


@pytest.mark.parametrize(
    ('changes', 'error', 'words'),
    [
        (dict(eval_model='teacher'), ValueError, "`eval_model` .* got 'teacher'"),
        (dict(ramp_up=-1), ValueError, '`ramp_up` must be .* >= 0, got -1'),
        (dict(ema=0.99), TypeError, r'`ema` must be the config .* got 0.99'),
        (dict(ema={'type': 'ReLU'}), TypeError, "`ema` must be .* got 'ReLU'"),
        (dict(ema={'type': 'EMA'}), TypeError, "`ema` must be .* got 'EMA'"),
        (dict(unlabelled={**FIXMATCH, 'views': {}}), ValueError, r'`unlabelled.views`'),
        (
            dict(unlabelled={**FIXMATCH, 'views': {'strong_3': 1.0}}),
            ValueError,
            r"`unlabelled.views` .* \('weak', 'strong', 'strong_2', 'features'\), got",
        ),
        (
            dict(unlabelled={**FIXMATCH, 'views': {'weak': 0}}),
            ValueError,
            r'`unlabelled.views.weak` must be .* > 0, got 0',
        ),
        (
            dict(unlabelled={**FIXMATCH, 'cutmix': 2}),
            ValueError,
            r'`unlabelled.cutmix` must be in \[0, 1\], got 2',
        ),
        (
            dict(unlabelled={**FIXMATCH, 'mean_over': 'all'}),
            ValueError,
            r"`unlabelled.mean_over` must be one of .*, got 'all'",
        ),
        (
            dict(unlabelled={**FIXMATCH, 'loss': {'type': 'CrossEntropyLoss'}}),
            TypeError,
            '`unlabelled.loss` .* got CrossEntropyLoss',
        ),
        (
            dict(
                unlabelled={
                    **FIXMATCH,
                    'loss': {
                        'type': 'CompoundLoss',
                        'losses': [CE, {'type': 'DiceLoss'}],
                    },
                }
            ),
            TypeError,
            '`unlabelled.loss` .* got DiceLoss',
        ),
        (dict(pseudo_label={'kind': 'firm'}), ValueError, '`pseudo_label.kind`'),
    ],
)
def test_options_that_cannot_work_are_refused(changes, error, words):
    with pytest.raises(error, match=words):
        build(semi_config(**changes))


def test_a_batch_without_branches_is_told():
    with pytest.raises(ValueError, match=r"branches \('labelled', .* got no branches"):
        build(semi_config()).train().loss(*batch())


def test_a_branch_that_a_view_needs_is_told():
    with pytest.raises(ValueError, match=r"'strong_2'\), got \('labelled', 'weak', 's"):
        build(semi_config(UNIMATCH)).train().loss(*branches(strong=1))


# MMSegmentation's own call of MMCV.
@pytest.mark.filterwarnings('ignore:"dropout" is deprecated')
def test_a_head_of_several_outputs_is_told():
    words = 'must return the logits of pixels, got list from IterativeDecodeHead'
    with pytest.raises(TypeError, match=words):
        build(semi_config(decode_head=knet_head())).train().loss(*branches())
