"""What a student learns from images without labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..functional.checks import check_number
from ..functional.pseudo_labels import (
    PseudoLabels,
    check_pseudo_label,
    cutmix,
    cutmix_masks,
    drop_channels,
    pseudo_labels,
    supervision_counts,
)
from ..functional.ranks import sum_over_ranks
from ..losses import CompoundLoss
from ..losses.base import SoftLabelLoss

# What the student sees of an image: one of its branches, or 'features', those of the
# weak branch with channels of the encoder dropped.
VIEWS = ('weak', 'strong', 'strong_2', 'features')
DROPPED = 0.5  # of the channels
MeanOver = Literal['valid', 'supervised']


class UnlabelledObjective(nn.Module):
    """Pseudo-labels from a teacher's logits, and a student's losses against them.

    Args:
        loss: The config of a SoftLabelLoss, or of a CompoundLoss of SoftLabelLosses.
        views: The weight, > 0, of each view in VIEWS that the student sees.
        pseudo_label: The options `kind`, `threshold` and `temperature` of
            `functional.pseudo_labels.pseudo_labels`.
        cutmix: The probability that a box of another image is pasted into an image of a
            strong view.
        mean_over: With 'supervised' a loss is a mean over the supervised pixels. With
            'valid' it is also multiplied by their share of the pixels outside of the
            padding: cross-entropy is then a mean over all these pixels, as in FixMatch
            and UniMatch, and a few supervised pixels have little weight.
        num_classes: The number of classes of the pseudo-labels.

    Raises:
        TypeError, ValueError: An option has the wrong type or is out of range.
    """

    counts: Tensor

    def __init__(
        self,
        *,
        loss: Mapping[str, Any],
        views: Mapping[str, float],
        pseudo_label: Mapping[str, Any],
        num_classes: int,
        cutmix: float = 0.0,
        mean_over: MeanOver = 'valid',
    ) -> None:
        super().__init__()
        if not isinstance(views, Mapping) or not views or set(views) - set(VIEWS):
            raise ValueError(
                f'`unlabelled.views` must give weights to some of {VIEWS}, got '
                f'{views!r}'
            )
        for view, weight in views.items():
            check_number(f'unlabelled.views.{view}', weight, 0, open_low=True)
        check_pseudo_label(**pseudo_label)
        check_number('unlabelled.cutmix', cutmix, 0, 1)
        if mean_over not in get_args(MeanOver):
            raise ValueError(
                f'`unlabelled.mean_over` must be one of {get_args(MeanOver)}, got '
                f'{mean_over!r}'
            )
        self.loss = MODELS.build(loss)
        for part in _parts(self.loss):
            if not isinstance(part, SoftLabelLoss):
                raise TypeError(
                    '`unlabelled.loss` must consist of losses for soft targets '
                    '(JaccardMetricLoss, SoftCrossEntropyLoss), got '
                    f'{type(part).__name__}'
                )
        self.views = dict(views)
        self.options = dict(pseudo_label)
        self.cutmix = cutmix
        self.mean_over = mean_over
        # Pixels by pseudo-label, all and supervised, since somebody last looked.
        counts = torch.zeros(2, num_classes, dtype=torch.int64)
        self.register_buffer('counts', counts, persistent=False)

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that a batch must have."""
        strong = [view for view in self.views if view.startswith('strong')]
        return ('labelled', 'weak', *strong)

    def teach(
        self, logits: Tensor, valid: Tensor, truth: Tensor
    ) -> tuple[PseudoLabels, dict[str, Tensor]]:
        """Pseudo-labels of weak images, and what the log says of them.

        Args:
            logits: the teacher's, (N,C,H,W).
            valid: (N,H,W), bool, False at padding.
            truth: (N,H,W), the true label where it is known, else no class's id.
        """
        labels = pseudo_labels(logits, valid, **self.options)
        counts = supervision_counts(labels, self.counts.shape[1])
        self.counts += counts
        found, supervised = counts.sum(1).unbind()
        known = (labels.weight > 0) & (truth >= 0) & (truth < self.counts.shape[1])
        right = known & (labels.label == truth)
        return labels, {
            'pseudo.share': supervised / found.clamp(min=1),
            'pseudo.accuracy': right.sum() / known.sum().clamp(min=1),
        }

    def mixed(
        self,
        view: str,
        pictures: Tensor,
        labels: PseudoLabels,
        generator: torch.Generator,
    ) -> tuple[Tensor, PseudoLabels]:
        """Strong images (N,3,H,W) with boxes of each other, and their labels."""
        if self.cutmix == 0 or not view.startswith('strong'):
            return pictures, labels
        masks = cutmix_masks(
            len(pictures),
            pictures.shape[2:],
            probability=self.cutmix,
            generator=generator,
            device=pictures.device,
        )
        return cutmix(pictures, masks), PseudoLabels(
            *(cutmix(each, masks) for each in labels)
        )

    def perturbed(self, view: str, features: Any, generator: torch.Generator) -> Any:
        """The features from which the student predicts the view.

        They are a sequence of maps (N,C,H,W); transformers may give a map and a class
        token (N,C) together, as a sequence of their own.
        """
        if view != 'features':
            return features
        if isinstance(features, Tensor):
            return drop_channels(features, rate=DROPPED, generator=generator)
        return [self.perturbed(view, each, generator) for each in features]

    def losses(self, logits: Tensor, labels: PseudoLabels) -> dict[str, Tensor]:
        """The losses of a student's logits (N,C,H,W) by their names."""
        found: dict[str, Tensor] = {}
        factor = self._share(labels) if self.mean_over == 'valid' else 1
        for part in self.loss if isinstance(self.loss, CompoundLoss) else [self.loss]:
            value = factor * part(logits, labels.target, weight=labels.weight)
            name = part.loss_name
            found[name] = found[name] + value if name in found else value
        return found

    def _share(self, labels: PseudoLabels) -> Tensor:
        """Of the pixels that are no padding, the supervised ones' share."""
        sums = torch.stack([labels.weight.sum(), labels.valid.to(labels.weight).sum()])
        if any(part.sync for part in _parts(self.loss)):
            (sums,) = sum_over_ranks([sums])
        return sums[0] / sums[1].clamp(min=1)


def _parts(loss: nn.Module) -> list[nn.Module]:
    return list(loss.children()) if isinstance(loss, CompoundLoss) else [loss]
