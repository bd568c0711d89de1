"""Several losses of one head that share their target."""

import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import MODELS
from .base import SoftLabelLoss, compute
from .batch import Batch, read_batch, refuse_per_pixel
from .options import build_label_smoothing, check_loss_name


@MODELS.register_module
class CompoundLoss(nn.ModuleList):
    """Losses on one target, logged each by its name.

    As the `loss_decode` of a head (a dict) it is a list of losses, and the head calls
    and logs one after the other; the first call computes all of them and the others
    are handed their results. Inside a list of losses, or called directly, it is one
    loss: the sum of its parts.

    Args:
        losses: configs (or modules) of the parts. Those of MMSegmentation are welcome;
            they get the label as the head gave it.
        label_smoothing: None or the config of a label transform for all the parts,
            which must then be ours and have none of their own.
        loss_name: the key when it is one loss; must contain 'loss'.

    >>> ce = dict(type='SoftCrossEntropyLoss', loss_weight=0.25)
    >>> jml = dict(type='JaccardMetricLoss', loss_weight=0.75)
    >>> loss = CompoundLoss(losses=[ce, jml])
    >>> logits, label = torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4).long()
    >>> {part.loss_name: round(part(logits, label).item(), 3) for part in loss}
    {'loss_ce': 0.173, 'loss_jml': 0.353}
    """

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

    __repr__ = nn.Module.__repr__  # the list's own walks the bound parts

    def _share(self, transform: Any) -> None:
        for loss in self._losses():
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

    def _losses(self) -> Iterator[nn.Module]:
        return iter(self._modules.values())

    def __iter__(self) -> Iterator[nn.Module]:
        """The parts, bound to one another for the calls of one step."""
        step = _Step(self)
        for index in range(len(self)):
            yield _Part(step, index)  # type: ignore[misc]

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
        results = self.compute_all(logits, target, weight, ignore_index)
        return functools.reduce(operator.add, results)

    def compute_all(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int | None = None,
    ) -> list[Tensor]:
        """The parts' losses in their order; parts that agree on the target share it."""
        found = self.read_all(logits, target, weight, ignore_index)
        pairs = [
            (loss, each)
            for loss, each in zip(self._losses(), found, strict=True)
            if isinstance(loss, SoftLabelLoss) and isinstance(each, Batch)
        ]
        losses, batches = [loss for loss, _ in pairs], [batch for _, batch in pairs]
        computed = iter(compute(losses, batches))
        return [next(computed) if isinstance(each, Batch) else each for each in found]

    def read_all(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None,
        ignore_index: int | None,
    ) -> list[Batch | Tensor]:
        """What each part of ours has to compute, and what the others computed."""
        return read_parts(self._losses(), logits, target, weight, ignore_index)

    def compute_one(self, index: int, *inputs: Any) -> Tensor:
        """The loss of one part alone; `inputs` as of `compute_all`."""
        return _call(self[index], *inputs)


def read_parts(
    losses: Iterable[nn.Module],
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int | None,
) -> list[Batch | Tensor]:
    """For each loss of ours its batch, shared where they agree; else its value."""
    found: list[Batch | Tensor] = []
    read: dict[tuple[int, ...], Batch] = {}
    for loss in losses:
        if not isinstance(loss, SoftLabelLoss):
            found.append(_call(loss, logits, target, weight, ignore_index))
            continue
        options = loss.reading(ignore_index)
        key = tuple(map(id, options.values()))
        if key not in read:
            read[key] = read_batch(logits, target, weight, **options)
        found.append(read[key])
    return found


def _call(
    loss: nn.Module,
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int | None,
) -> Tensor:
    """Call one loss as a head does; MMSegmentation's take no None for an index."""
    own = {} if ignore_index is None else {'ignore_index': ignore_index}
    value: Tensor = loss(logits, target, weight=weight, **own)
    return value


class _Step:
    """The results of one step, computed at the first call, each handed over once."""

    def __init__(self, compound: CompoundLoss) -> None:
        self.compound = compound
        self.inputs: tuple[Any, ...] | None = None
        self.results: dict[int, Tensor] = {}

    def result(self, index: int, *inputs: Any) -> Tensor:
        seen = (*inputs, torch.is_grad_enabled())
        if self.inputs is None:
            self.inputs = seen
            self.results = dict(enumerate(self.compound.compute_all(*inputs)))
        same = all(a is b for a, b in zip(self.inputs, seen, strict=True))
        if same and index in self.results:
            return self.results.pop(index)
        return self.compound.compute_one(index, *inputs)


class _Part:
    """One loss of a CompoundLoss as a head sees it."""

    def __init__(self, step: _Step, index: int) -> None:
        self.step = step
        self.index = index

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        refuse_per_pixel(self.loss_name, avg_factor, reduction_override)
        return self.step.result(self.index, logits, target, weight, ignore_index)

    def __getattr__(self, name: str) -> Any:
        if name in ('step', 'index'):  # not there yet in a copy
            raise AttributeError(name)
        return getattr(self.step.compound[self.index], name)
