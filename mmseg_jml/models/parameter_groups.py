"""Which parameters decay."""

from typing import Any

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class NoFlatDecayConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's parameter groups, but that no one-dimensional parameter decays.

    MMEngine does not ask its `norm_decay_mult`, `bias_decay_mult` and `flat_decay_mult`
    about a parameter that one of the `custom_keys` names: heads with a learning rate of
    their own would have their biases and norms decay.

    >>> import logging
    >>> head = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    >>> construct = NoFlatDecayConstructor(
    ...     {'optimizer': {'type': 'SGD', 'lr': 0.01, 'weight_decay': 5e-4}},
    ...     {'custom_keys': {'head': {'lr_mult': 10.0}}},
    ... )
    >>> logging.disable()  # MMEngine tells of every parameter
    >>> optimizer = construct(nn.ModuleDict({'decode_head': head})).optimizer
    >>> [(group['lr'], group['weight_decay']) for group in optimizer.param_groups]
    [(0.1, 0.0005), (0.1, 0.0), (0.1, 0.0), (0.1, 0.0)]
    >>> logging.disable(logging.NOTSET)
    """

    def __init__(
        self,
        optim_wrapper_cfg: dict[str, Any],
        paramwise_cfg: dict[str, Any] | None = None,
    ) -> None:
        # Without any option MMEngine puts all parameters into one group.
        options = {'flat_decay_mult': 0.0, **(paramwise_cfg or {})}
        super().__init__(optim_wrapper_cfg, options)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer with one group for each parameter of `model`."""
        wrapper = super().__call__(model)
        corrected = 0
        for group in wrapper.optimizer.param_groups:
            if group['params'][0].ndim == 1 and group['weight_decay'] != 0:
                group['weight_decay'] = 0.0
                corrected += 1
        if corrected:
            print_log(
                f'{corrected} one-dimensional parameters have no weight decay, '
                'although the lines above list one: they match a custom key',
                logger='current',
            )
        return wrapper
