"""Which classes a loss looks at (figure 4 of the paper)."""

from typing import Literal, get_args

from torch import Tensor

from .door import read_soft_or_hard
from .one_pass import ClassSums, Needs, SumName, class_sums
from .targets import IGNORE_INDEX

ActiveClasses = Literal['all', 'present', 'label', 'prob', 'both']
MODES: tuple[str, ...] = get_args(ActiveClasses)


def active_classes(
    probs: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    mode: ActiveClasses = 'label',
    threshold: float = 0.01,
    sigmoid: bool = False,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """The active classes of each image: bool (N,C); the batch's are `.any(0)`.

    `probs` (N,C,*) in [0,1]; `target` hard, integer (N,*), or soft, (N,C,*) in [0,1];
    `weight` (N,*) >= 0. The modes:

    - `all`: every class;
    - `present`: classes that are some pixel's largest in the target (with `sigmoid`,
      above one half);
    - `label`, `prob`, `both`: classes whose largest value in the target, in the
      prediction, in their sum lies above the threshold.

    Pixels of weight 0 are not looked at; an image of such pixels alone has no active
    class in any mode. Source: figure 4 of Wang, Ning, Blaschko, NeurIPS 2023.

    Raises:
        TypeError, ValueError: unknown mode, or tensors that do not fit.

    >>> import torch
    >>> probs = torch.tensor([[[0.6], [0.4]]])
    >>> active_classes(probs, torch.tensor([[[1.0], [0.0]]]))
    tensor([[ True, False]])
    """
    asked = read_soft_or_hard(
        probs,
        target,
        weight,
        needs=active_needs(mode, sigmoid),
        ignore_index=ignore_index,
    )
    (sums,) = class_sums(probs.detach(), [asked], weight, activation='identity')
    return active_in(sums, mode, threshold, sigmoid)


def active_needs(mode: ActiveClasses, sigmoid: bool) -> Needs:
    """The sums that a mode looks at."""
    check_mode(mode)
    if mode == 'all':
        return frozenset()
    needs: dict[str, SumName] = {
        'present': 'max_target' if sigmoid else 'largest',
        'label': 'max_target',
        'prob': 'max_probs',
        'both': 'max_sum',
    }
    return frozenset({needs[mode]})


def active_in(
    sums: ClassSums, mode: ActiveClasses, threshold: float, sigmoid: bool
) -> Tensor:
    """The active classes of each image, bool (N,C), from its sums."""
    if mode == 'all':
        return (sums.pixels > 0).unsqueeze(1).expand(-1, sums.num_classes)
    if mode == 'present':
        return sums.max_target > 0.5 if sigmoid else sums.largest > 0
    # Pixels that do not count are 0 in all of these: without others nothing is active.
    if mode == 'label':
        return sums.max_target > threshold
    return (sums.max_probs if mode == 'prob' else sums.max_sum) > threshold


def check_mode(mode: str) -> None:
    """Refuse an unknown mode."""
    if mode not in MODES:
        raise ValueError(f'`active_classes` must be one of {MODES}, got {mode!r}')
