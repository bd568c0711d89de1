"""A runner loads weights that fit its model, or none."""

import copy
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from ..checkpoints import CheckpointError
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
        if runner._resume:
            require_same_course(
                runner.param_schedulers, checkpoint.get('param_schedulers'), source
            )
        if found.state is checkpoint:
            checkpoint.clear()
        checkpoint['state_dict'] = state


def require_same_course(schedulers: Any, saved: Any, source: str) -> None:
    """Refuse to resume with another schedule: MMEngine would follow the saved one.

    A training that is resumed to be longer would then go on with a learning rate of
    zero.

    Raises:
        CheckpointError: The schedules begin, end or are divided otherwise.
    """
    if isinstance(schedulers, dict) != isinstance(saved, dict) or not saved:
        return
    named = schedulers if isinstance(schedulers, dict) else {'': schedulers or []}
    before = saved if isinstance(saved, dict) else {'': saved}
    ours = {name: [_span(vars(s)) for s in each] for name, each in named.items()}
    theirs = {name: [_span(s) for s in before.get(name, [])] for name in named}
    if ours != theirs:
        raise CheckpointError(
            f'`--resume` {source!r} was trained with a schedule of the learning rate '
            f'from and to the iterations {_shown(theirs)}, and this training has '
            f'{_shown(ours)}. Resume with the same length (`--max-iters`) and '
            f'schedule as before, or start a new training from these weights with '
            f'`--cfg-options load_from={source}`'
        )


def _span(scheduler: Any) -> tuple[Any, Any]:
    return scheduler.get('begin'), scheduler.get('end')


def _shown(spans: dict[str, list[tuple[Any, Any]]]) -> str:
    return ', '.join(f'{b}-{e}' for each in spans.values() for b, e in each) or 'none'


def bare(model: Any) -> Any:
    """The segmentor inside of DistributedDataParallel or test-time augmentation."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model
