"""Several losses of one head that share their target."""

import copy
import functools
import inspect
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from ..registry import MODELS
from .base import SoftLabelLoss, compute
from .batch import Batch, read_batch, refuse_per_pixel
from .compiling import not_compiled
from .options import build_label_smoothing, check_loss_name
from .turns import Step, Turn, taking


@MODELS.register_module
class CompoundLoss(nn.ModuleList):
    """Losses on one target, logged each by its name.

    As the `loss_decode` of a head (a dict) it is a list of losses, and the head calls
    and logs one after the other. The first call to one of ours computes all of ours,
    and the others are handed their results. Inside a list of losses, or called
    directly, it is one loss: the sum of its parts.

    It is an `nn.ModuleList`: whoever iterates, indexes or slices it gets the losses
    themselves, and an option that is set on one of them, such as `loss_weight`, is used
    from the next call on. A part that is added later keeps its own `label_smoothing`.

    Args:
        losses: configs (or modules) of the parts. Those of MMSegmentation are welcome;
            they get the label as the head gave it.
        label_smoothing: None or the config of a label transform for all the parts,
            which must then be ours and have none of their own.
        loss_name: the key when it is one loss; must contain 'loss'.

    >>> import torch
    >>> ce = dict(type='SoftCrossEntropyLoss', loss_weight=0.25)
    >>> jml = dict(type='JaccardMetricLoss', loss_weight=0.75)
    >>> loss = CompoundLoss(losses=[ce, jml])
    >>> logits, label = torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4).long()
    >>> {part.loss_name: round(part(logits, label).item(), 3) for part in loss}
    {'loss_ce': 0.173, 'loss_jml': 0.353}
    """

    loss_name: str = 'loss_compound'

    def __init__(
        self,
        *,
        losses: Sequence[Any],
        label_smoothing: Any = None,
        loss_name: str = 'loss_compound',
    ) -> None:
        if not losses or not isinstance(losses, Sequence):
            raise ValueError(
                f'`losses` must be a list of at least one loss config, got {losses!r}'
            )
        check_loss_name(loss_name)
        super().__init__(
            loss if isinstance(loss, nn.Module) else MODELS.build(loss)
            for loss in losses
        )
        self.loss_name = loss_name
        transform = build_label_smoothing(label_smoothing)
        if transform is not None:
            self._share(transform)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute.

        Raises:
            AttributeError: it is an option of the parts, which would not notice.
        """
        parts = () if hasattr(self, name) else vars(self).get('_modules', {}).values()
        if any(name in inspect.signature(type(part)).parameters for part in parts):
            raise AttributeError(
                f'{type(self).__name__} has no option `{name}`; its parts have one. '
                f'Set it on each part: `for part in loss: part.{name} = ...`'
            )
        super().__setattr__(name, value)

    def _share(self, transform: Any) -> None:
        for loss in self:
            if not isinstance(loss, SoftLabelLoss):
                raise ValueError(
                    '`label_smoothing` of CompoundLoss needs parts that take soft '
                    'targets (JaccardMetricLoss, SoftCrossEntropyLoss), got '
                    f'{type(loss).__name__}'
                )
            if loss.label_smoothing is not None:
                raise ValueError(
                    '`label_smoothing` must be set on CompoundLoss or on its parts, '
                    f'got both: {transform!r} and {loss.label_smoothing!r}'
                )
            loss.label_smoothing = transform

    @not_compiled
    def __iter__(self) -> Iterator[nn.Module]:
        """The parts; ours share one computation while a loop calls them in turn."""
        places = dict(enumerate(self._modules.values()))
        ours = {i: part for i, part in places.items() if self.is_shared(part)}
        step = Step(ours, self.compute_all, self.compute_one)
        for index, part in places.items():
            if index in ours:
                with taking(Turn(part, index, step.result)):
                    yield part
            else:
                yield part

    def __getitem__(self, index: Any) -> Any:
        """A part; of a slice, a loss of its parts."""
        if isinstance(index, slice):
            return self._of(list(self)[index])
        return super().__getitem__(index)

    def __add__(self, other: Iterable[nn.Module]) -> 'CompoundLoss':
        """A loss of these parts and of others."""
        return self._of([*self, *other])

    def _of(self, parts: Iterable[nn.Module]) -> 'CompoundLoss':
        """A loss like this one, of other parts."""
        made = copy.copy(self)
        vars(made)['_modules'] = {}
        made.extend(parts)
        return made

    def is_shared(self, part: nn.Module) -> bool:
        """Whether a part is computed with others; the rest are called as they are."""
        return isinstance(part, SoftLabelLoss)

    @not_compiled
    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """The sum of the parts; arguments as of the parts."""
        refuse_per_pixel(type(self).__name__, avg_factor, reduction_override)
        # MMSegmentation's losses take no None for an index.
        own = {} if ignore_index is None else {'ignore_index': ignore_index}
        results = [part(logits, target, weight=weight, **own) for part in self]
        return functools.reduce(operator.add, results)

    def compute_all(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int | None = None,
    ) -> dict[int, Tensor]:
        """Our losses by their place; parts that agree on the target share it."""
        read: dict[Any, Batch] = {}
        losses: dict[int, SoftLabelLoss] = {}
        batches = []
        for index, loss in enumerate(self._modules.values()):
            if not isinstance(loss, SoftLabelLoss):
                continue
            losses[index] = loss
            options = loss.reading(ignore_index)
            key = (self.is_taught(loss), *map(id, options.values()))
            if key not in read:
                read[key] = self.read(loss, logits, target, weight, options)
            batches.append(read[key])
        computed = compute(list(losses.values()), batches)
        return dict(zip(losses, computed, strict=True))

    def is_taught(self, part: nn.Module) -> bool:
        """Whether a part is compared with a teacher, not with the label."""
        return False

    def read(
        self,
        loss: SoftLabelLoss,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None,
        options: dict[str, Any],
    ) -> Batch:
        """What one of our losses has to compute."""
        return read_batch(logits, target, weight, **options)

    def compute_one(self, index: int, *inputs: Any) -> Tensor:
        """The loss of one part alone; `inputs` as of `compute_all`."""
        part: Any = self[index]
        value: Tensor = type(part).forward(part, *inputs)
        return value
