"""A resumed training goes on with its own schedule."""

import pytest
import torch
from mmengine.optim import PolyLR

from mmseg_jml.checkpoints import CheckpointError
from mmseg_jml.hooks.weights import require_same_course


def scheduler(end):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    return PolyLR(optimizer, by_epoch=False, begin=0, end=end)


def test_a_training_is_resumed_with_its_own_schedule():
    require_same_course([scheduler(10)], [scheduler(10).state_dict()], 'a.pth')


def test_another_schedule_is_refused_as_the_saved_one_would_be_followed():
    with pytest.raises(CheckpointError, match='0-10, and this training has 0-20'):
        require_same_course([scheduler(20)], [scheduler(10).state_dict()], 'a.pth')
