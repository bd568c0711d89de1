"""What the losses for soft labels share: options, the call, reading a batch."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..functional.checks import check_bool, check_int, check_number
from ..functional.door import check_class_weight, check_ids, class_weight_tensor
from ..functional.one_pass import ClassSums, Needs, Target, check_needs, class_sums
from ..functional.ranks import sum_over_ranks
from ..functional.tensors import working_dtype
from .batch import Batch, read_batch, refuse_per_pixel
from .compiling import not_compiled
from .options import build_label_smoothing, check_loss_name


class SoftLabelLoss(nn.Module, ABC):
    """A loss of logits against hard or soft labels; a subclass gives its formula.

    Args:
        class_weight: None or one number >= 0 a class.
        use_sigmoid: independent channels in place of softmax.
        temperature: > 0, divides the logits.
        label_smoothing: None or the config of a label transform.
        sync: sum over all ranks before the loss is formed: as one process would.
        ignore_index: the hard label that does not count.
        loss_weight: >= 0, multiplies the loss.
        loss_name: the key in the log; must contain 'loss'.
    """

    class_weight: Tensor | None

    def __init_subclass__(cls, **options: Any) -> None:
        """Check `needs` at the end of the constructor, when all options are set."""
        super().__init_subclass__(**options)
        build = cls.__init__

        @functools.wraps(build)
        def build_and_check(self: SoftLabelLoss, *args: Any, **kwargs: Any) -> None:
            build(self, *args, **kwargs)
            if type(self) is cls:
                check_needs(self.needs())

        cls.__init__ = build_and_check  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        class_weight: Sequence[float] | None,
        use_sigmoid: bool,
        temperature: float,
        label_smoothing: Any,
        sync: bool,
        ignore_index: int,
        loss_weight: float,
        loss_name: str,
    ) -> None:
        super().__init__()
        check_bool('use_sigmoid', use_sigmoid)
        check_bool('sync', sync)
        check_number('temperature', temperature, 0, open_low=True)
        check_number('loss_weight', loss_weight, 0)
        check_int('ignore_index', ignore_index)
        check_loss_name(loss_name)
        self.use_sigmoid = use_sigmoid
        self.temperature = temperature
        self.sync = sync
        self.ignore_index = ignore_index
        self.loss_weight = loss_weight
        self.loss_name = loss_name
        self.label_smoothing = build_label_smoothing(label_smoothing)
        weights = class_weight_tensor(class_weight)
        self.register_buffer('class_weight', weights, persistent=False)

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
        """The loss, a scalar in the logits' type, float32 at least.

        Args:
            logits: (N,C,*), any float: images (N,C,H,W), volumes (N,C,D,H,W) or points
                (N,C,P). They must be finite, at ignored pixels too.
            target: hard, integer (N,*) or (N,1,*); soft, floating (N,C,*); or one mask
                for each class, integer or bool (N,C,*).
            weight: (N,*), >= 0; 0 takes a pixel out.
            ignore_index: None means the loss's own; unused with soft targets.
            avg_factor, reduction_override: must be None.
        """
        refuse_per_pixel(type(self).__name__, avg_factor, reduction_override)
        batch = read_batch(logits, target, weight, **self.reading(ignore_index))
        return compute([self], [batch])[0]

    def reading(self, ignore_index: int | None) -> dict[str, Any]:
        """The options under which this loss reads a batch."""
        return {
            'ignore_index': self.ignore_index if ignore_index is None else ignore_index,
            'use_sigmoid': self.use_sigmoid,
            'label_smoothing': self.label_smoothing,
        }

    @abstractmethod
    def needs(self) -> Needs:
        """The names of the sums, fields of `ClassSums`, that the loss is made of.

        Others are not there for `partials`. A name that is no sum is refused when the
        loss is built.
        """

    def pixel_class_weight(self) -> Tensor | None:
        """The class weights of a cross-entropy, which count inside the sums."""
        return None

    @abstractmethod
    def partials(self, sums: ClassSums) -> list[Tensor]:
        """What the images of this rank add to the loss: float64 sums over them."""

    def constants(self, batch: Batch) -> list[Tensor]:
        """Further partials, of the target alone: nothing of them is differentiated."""
        return []

    @abstractmethod
    def finish(self, partials: Sequence[Tensor]) -> Tensor:
        """The unweighted loss from the partials, a float64 scalar."""


def compute(losses: Sequence[SoftLabelLoss], batches: Sequence[Batch]) -> list[Tensor]:
    """The losses of batches that have been read, with as few passes as they allow.

    Losses of one activation and temperature, on the same logits and weight, share a
    pass; those that also agree on the target share its sums.
    """
    passes: dict[tuple[Any, ...], list[int]] = {}
    for index, (loss, batch) in enumerate(zip(losses, batches, strict=True)):
        check_class_weight(loss.class_weight, batch.logits.shape[1])
        key = (loss.use_sigmoid, loss.temperature, id(batch.logits), id(batch.weight))
        passes.setdefault((*key, batch.target.ignore_index), []).append(index)
    sums: dict[int, ClassSums] = {}
    for members in passes.values():
        sums.update(_one_pass(members, losses, batches))
    partials = [
        [*loss.partials(sums[i]), *loss.constants(batch)]
        for i, (loss, batch) in enumerate(zip(losses, batches, strict=True))
    ]
    synced = [i for i, loss in enumerate(losses) if loss.sync]
    if synced:
        flat = sum_over_ranks([part for i in synced for part in partials[i]])
        rest = iter(flat)
        for i in synced:
            partials[i] = [next(rest) for _ in partials[i]]
    return [
        loss.loss_weight * loss.finish(parts).to(working_dtype(batch.logits.dtype))
        for loss, parts, batch in zip(losses, partials, batches, strict=True)
    ]


def _one_pass(
    members: Sequence[int], losses: Sequence[SoftLabelLoss], batches: Sequence[Batch]
) -> dict[int, ClassSums]:
    """The sums that each loss needs, by its index, from one read of the logits."""
    targets: list[Target] = []
    place = {}
    needs: dict[int, Needs] = {}
    for index in members:
        loss = losses[index]
        needs[index] = loss.needs()
        asked = batches[index].target._replace(
            needs=needs[index], class_weight=loss.pixel_class_weight()
        )
        for position, known in enumerate(targets):
            joined = _join(known, asked)
            if joined is not None:
                targets[position] = joined
                place[index] = position
                break
        else:
            place[index] = len(targets)
            targets.append(asked)
    first = losses[members[0]]
    batch = batches[members[0]]
    targets += _ignoring(targets, [batches[index].label for index in members])
    try:
        found = class_sums(
            batch.logits,
            targets,
            batch.weight,
            activation='sigmoid' if first.use_sigmoid else 'softmax',
            temperature=first.temperature,
        )
    except RuntimeError:  # of a look-up by a wrong id
        for target in targets:
            if target.label is not None:
                num_classes = batch.logits.shape[1]
                check_ids(target.label, num_classes, target.ignore_index)
        raise
    return {
        index: found[position].only(needs[index]) for index, position in place.items()
    }


def _ignoring(
    targets: Sequence[Target], labels: Sequence[Target | None]
) -> list[Target]:
    """The labels that no target holds yet: they take their ignored pixels out."""
    known = {id(target.label) for target in targets}
    missing = {id(each.label): each for each in labels if each is not None}
    return [label for key, label in missing.items() if key not in known]


def _join(one: Target, other: Target) -> Target | None:
    """One target that serves both, or None if they differ."""
    tensors = ('label', 'probs', 'logits', 'epsilon')
    if any(getattr(one, name) is not getattr(other, name) for name in tensors):
        return None
    weights = {
        id(each.class_weight): each.class_weight
        for each in (one, other)
        if 'cross_entropy' in each.needs
    }
    if len(weights) > 1:
        return None
    (class_weight,) = weights.values() or (None,)
    return one._replace(needs=one.needs | other.needs, class_weight=class_weight)
