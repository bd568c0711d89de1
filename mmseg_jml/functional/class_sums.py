"""All the sums that the losses are made of, in one read of the logits.

A loss over sets of pixels is a function of a few sums per class. `class_sums` reads the
logits once, in chunks that fit the cache, and gathers the sums of every target; what
follows (unions, means, active classes, all-reduce) is ordinary autograd on tensors of
(N,C). The backward pass reads the chunks again and writes the gradient. No one-hot, no
smoothed label and no probability map is kept: of the size of the logits there is only
the gradient, whose memory holds the exponentials between the two passes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor

from .chunks import Activation, Chunk, weighted_sums
from .gradients import elementwise_gradient, softmax_gradient
from .passes import Pass, of_chunk
from .targets import SUM_NAMES, Needs, SumName, Target, check_needs, nearest_sum

# Per target: what is differentiated, what is added up, what is a largest value.
DIFFERENTIABLE: tuple[SumName, ...] = ('minimum', 'product')
ADDED: tuple[SumName, ...] = ('target', 'target_squared', 'largest')
LARGEST: tuple[SumName, ...] = ('max_target', 'max_sum')


class ClassSums:
    """Sums over the pixels of each image: w the weight, p the prediction, y the target.

    Float64 (N,C) where no other shape is given. It holds the sums that were asked for,
    and `pixels`; `cross_entropy` brings `pixel_weight`.

    Raises:
        AttributeError: a sum is used that was not asked for.
    """

    probs: Tensor  # sum w p, differentiable as are the next three
    probs_squared: Tensor  # sum w p^2
    minimum: Tensor  # sum w min(p,y)
    product: Tensor  # sum w p y
    target: Tensor  # sum w y
    target_squared: Tensor  # sum w y^2
    max_target: Tensor  # the largest y over the pixels of w > 0
    max_probs: Tensor  # the largest p
    max_sum: Tensor  # the largest p + y
    largest: Tensor  # how many pixels have their largest y here, the first of a tie
    cross_entropy: Tensor  # (N,) sum w k l, differentiable; see cross_entropy
    pixel_weight: Tensor  # (N,) sum w k
    pixels: Tensor  # (N,) sum w

    def __init__(self, num_classes: int, sums: Mapping[SumName, Tensor]) -> None:
        self.num_classes = num_classes
        self.sums = sums
        vars(self).update({str(name): values for name, values in sums.items()})

    def only(self, needs: Needs) -> 'ClassSums':
        """Those of the sums that someone asked for."""
        needs = _with_companions(needs)
        sums = {name: value for name, value in self.sums.items() if name in needs}
        return ClassSums(self.num_classes, sums)

    if not TYPE_CHECKING:  # a type checker shall find unknown names itself

        def __getattr__(self, name: str) -> NoReturn:
            """Say why a sum is not there; those that are there never come here."""
            if name.startswith('_'):
                raise AttributeError(name)
            if name in SUM_NAMES:
                raise AttributeError(
                    f'the sum `{name}` was not asked for: add {name!r} to what the '
                    "loss's `needs` returns"
                )
            raise AttributeError(f'there is no sum `{name}`{nearest_sum(name)}')


def _with_companions(needs: Needs) -> Needs:
    """What is gathered when these sums are asked for."""
    pair: Needs = frozenset({'cross_entropy', 'pixel_weight'})
    both = pair if needs & pair else frozenset()
    return needs | both | frozenset({'pixels'})


def class_sums(
    logits: Tensor,
    targets: Sequence[Target],
    weight: Tensor | None = None,
    *,
    activation: Activation = 'softmax',
    temperature: float = 1.0,
) -> list[ClassSums]:
    """The sums of each target over the pixels of each image, in one read of the logits.

    `logits` (N,C,*) of any float, `weight` (N,*) >= 0. `activation` and `temperature`
    make probabilities of the logits, the teacher's too; 'identity' takes probabilities.
    A pixel that is ignored by one label is ignored for all the targets of the pass.
    Half precision is computed in float32. Only `logits` is differentiated; it must be
    finite, also where the weight is 0: the sums are products with the weight.

    The backward pass overwrites the exponentials that the forward pass left in the
    gradient's memory; a second one over a retained graph computes them again.

    Raises:
        RuntimeError: a second derivative is asked for (`create_graph=True`).
        TypeError, ValueError: a target needs what is no sum.
    """
    for target in targets:
        check_needs(target.needs)
    logits = logits.flatten(2)  # a view, but of layouts that must be copied
    pass_ = Pass(logits, targets, weight, activation, temperature)
    shared, own, cross_entropy, counted = _ClassSums.apply(  # type: ignore[no-untyped-call]
        logits, pass_
    )
    found: list[dict[SumName, Tensor]] = [
        {
            'probs': shared[0],
            'probs_squared': shared[1],
            'minimum': own[t, 0],
            'product': own[t, 1],
            'cross_entropy': cross_entropy[t],
            'max_probs': counted['max_probs'],
            'pixels': counted['pixels'],
            'pixel_weight': counted['pixel_weight'][t],
            **{name: counted[name][t] for name in (*ADDED, *LARGEST)},
        }
        for t in range(len(targets))
    ]
    return [
        ClassSums(logits.shape[1], sums).only(target.needs)
        for sums, target in zip(found, pass_.targets, strict=True)
    ]


class _ClassSums(torch.autograd.Function):
    """The pass and its derivative: sums (2,N,C), (T,2,N,C), (T,N) of the logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, pass_: Pass) -> tuple[Any, ...]:
        ctx.set_materialize_grads(False)
        ctx.pass_ = pass_
        # All that backward reads: a change in place before it is an error of torch's.
        ctx.save_for_backward(logits, *pass_.tensors())
        buffer = torch.empty_like(logits) if pass_.keep else None
        ctx.buffer = buffer
        groups = []
        with torch.autocast(logits.device.type, enabled=False):
            for images, parts in pass_.groups(logits):
                groups.append(_Sums(pass_, images))
                for part in parts:
                    values = pass_.prepared(logits, images, part)
                    out = None if buffer is None else of_chunk(buffer, images, part)
                    groups[-1].add(part, Chunk(values, pass_.activation, out))
        return _gathered(logits, groups, len(pass_.targets))

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, None]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                'the losses of mmseg_jml have no second derivative: '
                'call backward() or grad() without create_graph=True'
            )
        if all(grad is None for grad in grads[:3]):
            return None, None
        logits, *_ = ctx.saved_tensors  # raises where one was changed in place
        buffer, ctx.buffer = ctx.buffer, None
        with torch.autocast(logits.device.type, enabled=False):
            return _backward(ctx.pass_, logits, buffer, *grads[:3]), None


def _gathered(
    logits: Tensor, groups: Sequence['_Sums'], num_targets: int
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


class _Sums:
    """What the forward pass gathers: of some images, the sums of their chunks."""

    def __init__(self, pass_: Pass, images: slice) -> None:
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


def _backward(
    pass_: Pass,
    logits: Tensor,
    buffer: Tensor | None,
    shared: Tensor | None,
    own: Tensor | None,
    cross_entropy: Tensor | None,
) -> Tensor:
    """The gradient of the logits, given those of the sums."""
    grad = torch.empty_like(logits) if buffer is None else buffer
    for images, parts in pass_.groups(logits):
        slopes = _Slopes(pass_, images, shared, own, cross_entropy)
        for part in parts:
            place = of_chunk(grad, images, part)
            if buffer is None:
                chunk = Chunk(pass_.prepared(logits, images, part), pass_.activation)
            else:
                chunk = Chunk.from_exponentials(place)
            values = _chunk_gradient(pass_, slopes, chunk, images, part)
            if buffer is None:
                place.copy_(values)
    return grad


class _Slopes:
    """The gradients of some images' sums, in the type of the pass; None: not asked."""

    def __init__(
        self,
        pass_: Pass,
        images: slice,
        shared: Tensor | None,
        own: Tensor | None,
        cross_entropy: Tensor | None,
    ) -> None:
        def of(total: Tensor | None, asked: bool, *index: int) -> Tensor | None:
            if total is None or not asked:
                return None
            values = (total[index][images] / pass_.temperature).to(pass_.dtype)
            return values.T if values.ndim == 2 else values.unsqueeze(1)

        self.probs = of(shared, 'probs' in pass_.needs, 0)
        self.probs_squared = of(shared, 'probs_squared' in pass_.needs, 1)
        self.targets = [
            (
                of(own, 'minimum' in target.needs, index, 0),
                of(own, 'product' in target.needs, index, 1),
                of(cross_entropy, 'cross_entropy' in target.needs, index),
            )
            for index, target in enumerate(pass_.targets)
        ]


def _chunk_gradient(
    pass_: Pass, slopes: _Slopes, chunk: Chunk, images: slice, part: slice
) -> Tensor:
    pixels = pass_.pixels(images, part, chunk.x)
    softmax = pass_.activation == 'softmax'
    if softmax and pass_.dense:
        chunk.normalise_(pixels.used)
    each: list[Any] = []
    for index, wanted in enumerate(slopes.targets):
        compared = pass_.compare(index, chunk, pixels, images, part)
        each.append(compared.backward(*wanted))
    given = (chunk, pixels, slopes.probs, slopes.probs_squared, each)
    if softmax:
        return softmax_gradient(*given)
    return elementwise_gradient(*given, sigmoid=pass_.activation == 'sigmoid')
