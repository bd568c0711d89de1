"""All the sums that the losses are made of, in one read of the logits.

A loss over sets of pixels is a function of a few sums per class. Here stands which
sums there are, what they are asked of and how they are differentiated; what follows
(unions, means, active classes, all-reduce) is ordinary autograd on tensors of (N,C).
`passes.Pass` does the work. No one-hot, no smoothed label and no probability map is
kept: of the size of the logits there is only the gradient, whose memory holds the
exponentials between the two directions.
"""

import difflib
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, get_args

import torch
from torch import Tensor

from ..targets import IGNORE_INDEX
from .chunks import Activation
from .passes import Pass
from .sums import ADDED, LARGEST

# What a pass can gather: the fields of `ClassSums`, which says what each of them is.
SumName = Literal[
    'probs',
    'probs_squared',
    'minimum',
    'product',
    'target',
    'target_squared',
    'max_target',
    'max_probs',
    'max_sum',
    'largest',
    'cross_entropy',
    'pixel_weight',
    'pixels',
]
Needs = frozenset[SumName]
SUM_NAMES: frozenset[str] = frozenset(get_args(SumName))


class Target(NamedTuple):
    """What logits (N,C,*) are compared with, and which sums are wanted of it.

    Exactly one of `label`, `probs` and `logits` is given:

    - `label` (N,*): a hard label; pixels of `ignore_index` do not count, for no target
      of the pass. `epsilon` (N,*) in [0,1] smooths it: (1-e)*one-hot + e/C, with
      sigmoid (1-e)*y + e/2. One channel means a binary label, 0 or 1.
    - `probs` (N,C,*) in [0,1]: a soft target.
    - `logits` (N,C,*): a teacher's, made probabilities as the student's are.

    `needs` names fields of `ClassSums`; `class_weight` (C,) weights the cross-entropy.
    """

    needs: Needs = frozenset()
    label: Tensor | None = None
    probs: Tensor | None = None
    logits: Tensor | None = None
    epsilon: Tensor | None = None
    ignore_index: int = IGNORE_INDEX
    class_weight: Tensor | None = None


def check_needs(needs: object) -> None:
    """Refuse what is no set of names of sums.

    Raises:
        TypeError: `needs` is no set.
        ValueError: a name in it is not one of `ClassSums`'s fields.

    >>> check_needs({'probs', 'minimun'})
    Traceback (most recent call last):
    ValueError: `needs` has an unknown sum 'minimun'; did you mean 'minimum'?
    """
    if not isinstance(needs, Set):
        raise TypeError(
            "`needs` must be a set of names of sums, such as {'probs', 'target'}, got "
            f'{needs!r}'
        )
    if not needs <= SUM_NAMES:
        unknown = min(needs - SUM_NAMES, key=str)
        raise ValueError(
            f'`needs` has an unknown sum {unknown!r}{nearest_sum(str(unknown))}'
        )


def nearest_sum(name: str) -> str:
    """The end of a sentence about an unknown sum: the nearest name, or all of them."""
    near = difflib.get_close_matches(name, SUM_NAMES, n=1)
    if near:
        return f'; did you mean {near[0]!r}?'
    return f'; the sums are {", ".join(get_args(SumName))}'


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
        RuntimeError: a second derivative is asked for (`create_graph=True`), or the
            call is inside of a transform of `torch.func`.
        TypeError, ValueError: a target needs what is no sum.
    """
    refuse_transforms()
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


def refuse_transforms() -> None:
    """Refuse to be differentiated or batched by `torch.func`.

    Raises:
        RuntimeError: called inside of `torch.func.grad`, `vmap` or the like.
    """
    if torch._C._are_functorch_transforms_active():
        raise RuntimeError(
            'the losses of mmseg_jml cannot be transformed by torch.func (grad, vmap, '
            'jvp): compute the gradient with loss.backward() or torch.autograd.grad, '
            'and give a batch of images as the first axis of the logits'
        )


class _ClassSums(torch.autograd.Function):
    """The pass and its derivative: sums (2,N,C), (T,2,N,C), (T,N) of the logits.

    Whatever gathers the sums and writes the gradient stands behind `pass_.sums` and
    `pass_.gradient`.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, pass_: Pass) -> tuple[Any, ...]:
        ctx.set_materialize_grads(False)
        # All that backward reads: a change in place before it is an error of torch's,
        # and nothing is kept by a loss that outlives backward.
        tensors = pass_.tensors()
        ctx.save_for_backward(logits, *tensors)
        ctx.pass_ = pass_.with_tensors([None] * len(tensors))
        ctx.buffer = torch.empty_like(logits) if pass_.keep else None
        with torch.autocast(logits.device.type, enabled=False):
            return pass_.sums(logits, ctx.buffer)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, None]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                'the losses of mmseg_jml have no second derivative: '
                'call backward() or grad() without create_graph=True'
            )
        if all(grad is None for grad in grads[:3]):
            return None, None
        logits, *tensors = ctx.saved_tensors  # raises where one was changed in place
        pass_ = ctx.pass_.with_tensors(tensors)
        buffer, ctx.buffer = ctx.buffer, None
        with torch.autocast(logits.device.type, enabled=False):
            return pass_.gradient(logits, buffer, *grads[:3]), None
