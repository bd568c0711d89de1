"""A runner loads weights that fit its model, or none."""

import copy
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from ..weights import find_weights, load_exactly, require_some, without_prefix


class WeightsHook(Hook):
    """Finds the weights in the checkpoint of a runner, and refuses those that differ.

    MMEngine itself passes over weights that it does not find, with a warning, and the
    model keeps random ones.

    Args:
        exact: refuse a checkpoint that lacks a weight of the model. Without it a
            training may start from the weights of another head, or of a backbone; but
            a resumed training is always checked exactly.
    """

    priority = 'VERY_HIGH'  # before MMEngine's EMAHook reads the weights

    def __init__(self, *, exact: bool) -> None:
        self.exact = exact

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Before the runner copies the weights into the model."""
        source = str(runner._load_from)
        found = find_weights(checkpoint, source)
        model = bare(runner.model)
        state = copy.copy(without_prefix(found.state, model))
        if self.exact or runner._resume:
            load_exactly(
                model, state, source, '--resume' if runner._resume else 'checkpoint'
            )
        else:
            require_some(model, state, source)
        if found.state is checkpoint:
            checkpoint.clear()
        checkpoint['state_dict'] = state


def bare(model: Any) -> Any:
    """The segmentor inside of DistributedDataParallel or test-time augmentation."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model
