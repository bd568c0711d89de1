"""Hard labels to targets and masks, and what a pass over the logits takes as target."""

import difflib
from collections.abc import Set
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

IGNORE_INDEX = 255

# What a pass can gather: fields of `ClassSums`, which says what each of them is.
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


def valid_mask(label: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Pixels that count: bool, of the shape of `label` (N,*).

    >>> valid_mask(torch.tensor([[0, 255]]))
    tensor([[ True, False]])
    """
    return label != ignore_index


def one_hot(
    label: Tensor,
    num_classes: int,
    ignore_index: int = IGNORE_INDEX,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The target (N,C,*) of a hard label (N,*): 1 at the label, 0 at ignored pixels.

    With one class the label is binary (0 background, 1 foreground) and the only
    channel is the foreground. `torch.nn.functional.one_hot` knows no ignored pixel
    and makes int64, eight times what is needed.

    >>> one_hot(torch.tensor([[1, 255]]), 2)
    tensor([[[0., 0.],
             [1., 0.]]])
    """
    label = label.long()
    valid = valid_mask(label, ignore_index)
    if num_classes == 1:
        return (label.eq(1) & valid).unsqueeze(1).to(dtype)
    target = torch.zeros(
        label.shape[0], num_classes, *label.shape[1:], dtype=dtype, device=label.device
    )
    index = label.where(valid, 0).unsqueeze(1)
    return target.scatter_(1, index, valid.unsqueeze(1).to(dtype))
