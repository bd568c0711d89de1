"""What the forward direction of a pass gathers: the sums of its chunks."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .chunks import Chunk, weighted_sums

if TYPE_CHECKING:
    from .class_sums import SumName
    from .passes import Pass

# Per target: what is differentiated, what is added up, what is a largest value.
DIFFERENTIABLE: tuple['SumName', ...] = ('minimum', 'product')
ADDED: tuple['SumName', ...] = ('target', 'target_squared', 'largest')
LARGEST: tuple['SumName', ...] = ('max_target', 'max_sum')


def gathered(
    logits: Tensor, groups: Sequence['ChunkSums'], num_targets: int
) -> tuple[Any, ...]:
    """The sums (2,N,C), (T,2,N,C), (T,N), and by name what is not differentiated."""
    scalar = torch.zeros(len(logits), dtype=torch.float64, device=logits.device)
    classes = scalar.new_zeros(logits.shape[:2])
    shared = [group.shared for group in groups]
    targets = [[group.own[t] for group in groups] for t in range(num_targets)]

    def each(name: str, like: Tensor) -> Tensor:
        if not any(name in group for own in targets for group in own):
            return like.expand(num_targets, *like.shape)
        return torch.stack([_total(name, own, like) for own in targets])

    counted = {name: each(name, classes) for name in (*ADDED, *LARGEST)}
    counted['max_probs'] = _total('max_probs', shared, classes)
    counted['pixels'] = _total('pixels', shared, scalar)
    counted['pixel_weight'] = each('pixel_weight', scalar)
    return (
        torch.stack([_total(n, shared, classes) for n in ('probs', 'probs_squared')]),
        torch.stack([each(name, classes) for name in DIFFERENTIABLE], 1),
        each('cross_entropy', scalar),
        counted,
    )


class ChunkSums:
    """What the forward pass gathers: of some images, the sums of their chunks."""

    def __init__(self, pass_: 'Pass', images: slice) -> None:
        self.pass_ = pass_
        self.images = images
        self.shared: dict[str, list[Tensor]] = defaultdict(list)
        self.own: list[dict[str, list[Tensor]]] = [
            defaultdict(list) for _ in pass_.targets
        ]

    def add(self, part: slice, chunk: Chunk) -> None:
        """Add one chunk's sums."""
        pass_, needs = self.pass_, self.pass_.needs
        pixels = pass_.pixels(self.images, part, chunk.x)
        weight = pixels.weight
        total = pixels.total(weight)
        self.shared['pixels'].append(total)
        if 'probs' in needs:
            self.shared['probs'].append(chunk.times(weight))
        if 'probs_squared' in needs:
            squares = weighted_sums(chunk.probs.square(), weight)
            self.shared['probs_squared'].append(squares)
        if 'max_probs' in needs:
            largest = (chunk.probs * pixels.used).amax(-1)
            self.shared['max_probs'].append(largest)
        for index, (target, own) in enumerate(
            zip(pass_.targets, self.own, strict=True)
        ):
            compared = pass_.compare(index, chunk, pixels, self.images, part)
            if 'cross_entropy' in target.needs:  # first: others use its logarithms
                own['cross_entropy'].append(compared.cross_entropy())
                mass = compared.pixel_weight
                own['pixel_weight'].append(
                    total if mass is weight else pixels.total(mass)
                )
            for name in (*DIFFERENTIABLE, *ADDED, *LARGEST):
                if name in target.needs:
                    own[name].append(getattr(compared, name)())


def _total(
    name: str, groups: Sequence[dict[str, list[Tensor]]], like: Tensor
) -> Tensor:
    """The sums (or largest values) of the chunks: float64 (N,...), 0 if not asked."""
    totals = []
    for parts in groups:
        if name not in parts:
            return like
        totals.append(_over_parts(name, parts[name]))
    if not totals:
        return like
    total = totals[0] if len(totals) == 1 else torch.cat(totals, -1)
    return total.movedim(-1, 0)


def _over_parts(name: str, parts: Sequence[Tensor]) -> Tensor:
    """The sum (or largest value) of the chunks of some images, in float64."""
    if len(parts) == 1:
        return parts[0].double()
    stack = torch.stack(list(parts)).double()
    return stack.amax(0) if name.startswith('max') else stack.sum(0)
