"""Jaccard metric losses and their kin: overlap sums and the losses on them.

For one class, x are the predicted probabilities and y the target, both in [0,1]^p:

| variant  | intersection I | false positives | false negatives |
| -------- | -------------- | --------------- | --------------- |
| jml1     | sum min(x,y)   | sum (x-y)+      | sum (y-x)+      |
| jml2     | <x,y>          | sum (x-y)+      | sum (y-x)+      |
| sjl_l1   | <x,y>          | sum x - I       | sum y - I       |
| sjl_l2   | <x,y>          | sum x^2 - I     | sum y^2 - I     |

    score = (I + s) / (I + alpha FP + beta FN + s),    loss = 1 - score.

alpha = beta = 1 is the Jaccard index, 1/2 Dice (with jml1 the Dice semimetric loss,
arXiv 2303.16296), any other pair Tversky's. The first two are metrics on [0,1]^p; the
soft Jaccard losses are not, and `sjl_l1` is not even smallest at x = y. On hard
targets all but `sjl_l2` are one loss. Source: Wang, Ning, Blaschko, "Jaccard Metric
Losses", NeurIPS 2023 (arXiv 2302.05666v1, equations 2, 3, 12, 13); the reductions are
those of arXiv 2310.19252.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from .active_classes import ActiveClasses, active_in, active_needs, check_mode
from .checks import check_bool, check_number
from .door import read_class_weight, read_soft_or_hard
from .one_pass import ClassSums, Needs, SumName, class_sums
from .targets import IGNORE_INDEX

Variant = Literal['jml1', 'jml2', 'sjl_l1', 'sjl_l2']
VARIANTS: tuple[str, ...] = get_args(Variant)
REDUCTIONS = ('batch', 'image', 'per_class')


class OverlapSums(NamedTuple):
    """Soft counts of each image and class, float64 (N,C)."""

    intersection: Tensor
    false_positive: Tensor
    false_negative: Tensor


def overlap_sums(
    probs: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    variant: Variant = 'jml1',
    ignore_index: int = IGNORE_INDEX,
) -> OverlapSums:
    """Intersection, false positives and false negatives: each float64 (N,C).

    The tensors are those of `jaccard_loss`. Only `probs` is differentiated.

    Raises:
        TypeError, ValueError: unknown variant, or tensors that do not fit.

    >>> x = torch.tensor([[[0.8]]])
    >>> overlap_sums(x, x).intersection.item() == x.double().item()
    True
    """
    asked = read_soft_or_hard(
        probs,
        target,
        weight,
        needs=variant_needs(variant),
        ignore_index=ignore_index,
    )
    (sums,) = class_sums(probs, [asked], weight, activation='identity')
    return overlap_in(sums, variant)


def variant_needs(variant: Variant) -> Needs:
    """The sums that a variant is made of."""
    check_variant(variant)
    needs: dict[Variant, set[SumName]] = {
        'jml1': {'probs', 'target', 'minimum'},
        'jml2': {'probs', 'target', 'minimum', 'product'},
        'sjl_l1': {'probs', 'target', 'product'},
        'sjl_l2': {'probs_squared', 'target_squared', 'product'},
    }
    return frozenset(needs[variant])


def overlap_in(sums: ClassSums, variant: Variant) -> OverlapSums:
    """The counts of each image and class from its sums.

    sum min(x,y) is summed as it is: (|x| + |y| - |x-y|)/2 cancels.
    """
    if variant in ('jml1', 'jml2'):
        intersection = sums.minimum if variant == 'jml1' else sums.product
        common, x, y = sums.minimum, sums.probs, sums.target
    elif variant == 'sjl_l1':
        intersection = common = sums.product
        x, y = sums.probs, sums.target
    else:
        intersection = common = sums.product
        x, y = sums.probs_squared, sums.target_squared
    return OverlapSums(intersection, x - common, y - common)


def overlap_loss(
    sums: OverlapSums,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
    log_loss: bool = False,
    smooth: float = 1.0,
) -> Tensor:
    """The loss of each image and class, of the shape of the sums.

    (1 - score)^gamma, or (-log score)^gamma; without mass and with smooth = 0 it is 0.
    Under `log_loss` the score is held above 1e-300: without any overlap and with
    smooth = 0 the loss is large, finite and without a gradient.

    >>> one, two = torch.ones(1, 1), torch.full((1, 1), 2.0)
    >>> overlap_loss(OverlapSums(one, one, two), smooth=0.0)
    tensor([[0.7500]])
    """
    error = alpha * sums.false_positive + beta * sums.false_negative
    overlap = sums.intersection + smooth
    union = overlap + error
    has_mass = union != 0  # also where it is NaN, which must not pass for 0
    # 1 - score without its cancellation; the inner `where` keeps 0/0 off the graph.
    loss = torch.where(has_mass, error / union.where(has_mass, 1.0), 0.0)
    if log_loss:
        score = torch.where(has_mass, overlap / union.where(has_mass, 1.0), 1.0)
        loss = -score.clamp(min=1e-300).log()
    return loss if gamma == 1 else loss.clamp(min=0) ** gamma


def jaccard_loss(
    probs: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    variant: Variant = 'jml1',
    active_classes: ActiveClasses = 'label',
    threshold: float = 0.01,
    reduction: Mapping[str, float] | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 1.0,
    log_loss: bool = False,
    smooth: float = 1.0,
    class_weight: Tensor | Sequence[float] | None = None,
    sigmoid: bool = False,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """The loss of a batch, a float64 scalar: a weighted sum of three reductions.

    `probs` (N,C,*) in [0,1] alone is differentiated. `target` is hard, integer (N,*),
    whose pixels of `ignore_index` do not count, or soft, (N,C,*) in [0,1]. `weight`
    (N,*) >= 0 weights the pixels; give ignored pixels of a soft target 0.
    `class_weight` (C,) >= 0 multiplies the loss of each class; a class of weight 0 is
    not active, so that it does not count in the means' denominators either.
    `reduction` weights (default: `batch` alone)

    - `batch`: sums over the batch, mean over its active classes (mIoU^D);
    - `image`: mean over each image's active classes, then over the images that have
      any (mIoU^I);
    - `per_class`: mean over the images in which a class is active, then over the
      classes active in some image (mIoU^C).

    Without an active class the loss is a zero on the graph.

    Raises:
        TypeError, ValueError: an option of another kind, or outside of its range;
            tensors that do not fit, on the CPU also logits given as `probs`.

    >>> probs = torch.tensor([[[0.9], [0.1]]])
    >>> jaccard_loss(probs, probs).item()
    0.0
    """
    formula = JaccardFormula(
        variant=variant,
        active_classes=active_classes,
        threshold=threshold,
        reduction={'batch': 1.0} if reduction is None else reduction,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        log_loss=log_loss,
        smooth=smooth,
        sigmoid=sigmoid,
    )
    formula.check()
    asked = read_soft_or_hard(
        probs, target, weight, needs=formula.needs(), ignore_index=ignore_index
    )
    weights = read_class_weight(class_weight, probs)
    (sums,) = class_sums(probs, [asked], weight, activation='identity')
    return formula.finish(formula.partials(sums, weights), weights)


class JaccardFormula(NamedTuple):
    """The options of `jaccard_loss`, and its two halves.

    What lies between the halves is a sum over images, hence also over ranks.
    """

    variant: Variant
    active_classes: ActiveClasses
    threshold: float
    reduction: Mapping[str, float]
    alpha: float
    beta: float
    gamma: float
    log_loss: bool
    smooth: float
    sigmoid: bool

    def check(self) -> None:
        """Refuse options that cannot be.

        Raises:
            TypeError, ValueError: the message names the option, what is allowed and
                what came.
        """
        check_variant(self.variant)
        check_mode(self.active_classes)
        check_number('threshold', self.threshold, 0, 1, open_high=True)
        check_reduction(self.reduction)
        check_number('alpha', self.alpha, 0)
        check_number('beta', self.beta, 0)
        if self.variant == 'sjl_l2' and self.alpha != self.beta:
            raise ValueError(
                "`alpha` and `beta` must be equal with variant 'sjl_l2', whose false "
                f'positives alone may be negative, got {self.alpha} and {self.beta}'
            )
        check_number('gamma', self.gamma, 1)
        check_bool('log_loss', self.log_loss)
        check_number('smooth', self.smooth, 0)

    def needs(self) -> Needs:
        """The fields of `ClassSums` that the loss is made of."""
        return variant_needs(self.variant) | active_needs(
            self.active_classes, self.sigmoid
        )

    def loss(self, sums: OverlapSums, class_weight: Tensor | None) -> Tensor:
        """The weighted loss of each class, of the shape of the sums."""
        loss = overlap_loss(
            sums,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            log_loss=self.log_loss,
            smooth=self.smooth,
        )
        return loss if class_weight is None else loss * class_weight

    def partials(self, sums: ClassSums, class_weight: Tensor | None) -> list[Tensor]:
        """What the images of this rank add to the loss: float64 sums over them."""
        overlap = overlap_in(sums, self.variant)
        active = active_in(sums, self.active_classes, self.threshold, self.sigmoid)
        if class_weight is not None:
            active = active & (class_weight > 0)
        active = active.double()
        parts = [active.sum(0)]
        if self.reduction.get('batch'):
            parts += [part.sum(0) for part in overlap]
        if self.reduction.get('image') or self.reduction.get('per_class'):
            loss = self.loss(overlap, class_weight) * active
            per_image = loss.sum(1) / active.sum(1).clamp(min=1)
            parts += [per_image.sum(), active.any(1).double().sum(), loss.sum(0)]
        return parts

    def finish(self, parts: Sequence[Tensor], class_weight: Tensor | None) -> Tensor:
        """The loss from the partials, summed over ranks or not: a float64 scalar."""
        active, rest = parts[0], list(parts[1:])
        anywhere = active > 0
        means = []
        if self.reduction.get('batch'):
            loss = self.loss(OverlapSums(*rest[:3]), class_weight)
            means.append(self.reduction['batch'] * _mean_where(loss, anywhere))
            del rest[:3]
        if rest:
            over_images, images, over_classes = rest
            image = over_images / images.clamp(min=1)
            per_class = _mean_where(over_classes / active.clamp(min=1), anywhere)
            means.append(self.reduction.get('image', 0.0) * image)
            means.append(self.reduction.get('per_class', 0.0) * per_class)
        return torch.stack(means).sum()


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """The mean where the mask holds; where it holds nowhere, a zero on the graph."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def check_variant(variant: str) -> None:
    """Refuse an unknown variant."""
    if variant not in VARIANTS:
        raise ValueError(f'`variant` must be one of {VARIANTS}, got {variant!r}')


def check_reduction(reduction: Mapping[str, float]) -> None:
    """Refuse unknown reductions, negative weights and weights that are all 0."""
    if not isinstance(reduction, Mapping):
        raise TypeError(
            f'`reduction` must be a dict, of the weights of some of {REDUCTIONS}, got '
            f'{reduction!r}'
        )
    unknown = sorted(set(reduction) - set(REDUCTIONS), key=str)
    if unknown:
        raise ValueError(f'`reduction` keys must be among {REDUCTIONS}, got {unknown}')
    for name, weight in reduction.items():
        check_number(f'reduction[{name!r}]', weight, 0)
    if not any(reduction.values()):
        raise ValueError(
            f'`reduction` weights must not all be 0, got {dict(reduction)}'
        )
