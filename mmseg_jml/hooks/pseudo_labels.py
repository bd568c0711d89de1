"""What a semi-supervised training learns from, by class."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from ..functional.checks import check_number
from ..segmentors import SemiEncoderDecoder
from ..segmentors.unlabelled import UnlabelledObjective


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Logs, for each class, how many of its pseudo-labels supervise the student.

    One line, as `pseudo-labels, % of pixels (supervised %): all 100.0 (61.3), sky 9.0
    (95.2), ...`: the class's share of the pseudo-labels since the last line, and of
    these the share past the threshold. The visualizer's backends get the latter as
    `pseudo/supervised_<class>`. A confidence mask that leaves nothing but background
    shows here.

    Args:
        interval: iterations from one line to the next, at least 1.

    Raises:
        TypeError, ValueError: an `interval` of another kind; when it runs, a model that
            is no SemiEncoderDecoder.
    """

    def __init__(self, *, interval: int = 100) -> None:
        check_number('interval', interval, 1)
        self.interval = interval

    def before_train(self, runner: Runner) -> None:
        """Look at the model now, not after the first interval."""
        _objective(runner)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Log and begin to count anew."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        objective = _objective(runner)
        counts = objective.counts.clone()
        objective.counts.zero_()
        all_reduce(counts)
        counts = torch.cat([counts.sum(1, keepdim=True), counts], dim=1)
        names = ('all', *runner.train_dataloader.dataset.metainfo['classes'])
        shares = supervised_shares(counts)
        of_all = (100 * counts[0] / counts[0, 0].clamp(min=1)).tolist()
        runner.logger.info(
            'pseudo-labels, % of pixels (supervised %): '
            + ', '.join(
                f'{name} {share:.1f} ({supervised:.1f})'
                for name, share, supervised in zip(names, of_all, shares, strict=True)
            )
        )
        runner.visualizer.add_scalars(
            {f'pseudo/supervised_{n}': s for n, s in zip(names, shares, strict=True)},
            step=runner.iter + 1,
        )


def _objective(runner: Runner) -> UnlabelledObjective:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not isinstance(model, SemiEncoderDecoder):
        raise ValueError(
            'PseudoLabelHook logs what a SemiEncoderDecoder learns from, got a model '
            f'of type {type(model).__name__}'
        )
    return model.unlabelled


def supervised_shares(counts: Tensor) -> list[float]:
    """Of counts (2,C), all and supervised, the shares in per cent; 0 for none.

    >>> supervised_shares(torch.tensor([[4, 0], [1, 0]]))
    [25.0, 0.0]
    """
    return (100 * counts[1] / counts[0].clamp(min=1)).tolist()
