"""What is measured: each contestant is a loss of (logits, label, teacher)."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
BASELINE = 'F.cross_entropy'


def ours() -> dict[str, Loss]:
    """The losses of this package."""
    from mmseg_jml.functional.cross_entropy import (
        cross_entropy_of,
        cross_entropy_partials,
    )
    from mmseg_jml.functional.one_pass import Target, class_sums
    from mmseg_jml.losses import (
        CompoundLoss,
        JaccardMetricLoss,
        SoftCrossEntropyLoss,
    )

    parts = [
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='JaccardMetricLoss', loss_weight=0.75),
    ]
    ce, jml, both = (
        SoftCrossEntropyLoss(),
        JaccardMetricLoss(),
        CompoundLoss(losses=parts),
    )
    bls = CompoundLoss(
        losses=parts, label_smoothing=dict(type='BoundaryLabelSmoothing')
    )
    formula = JaccardMetricLoss().formula
    needs = formula.needs() | {'cross_entropy'}

    def distil(logits: Tensor, label: Tensor, teacher: Tensor) -> Tensor:
        targets = [Target(needs, label=label), Target(needs, logits=teacher)]
        total = logits.new_zeros((), dtype=torch.float64)
        for sums in class_sums(logits, targets):
            total = total + 0.125 * cross_entropy_of(cross_entropy_partials(sums))
            total = total + 0.375 * formula.finish(formula.partials(sums, None), None)
        return total.to(logits.dtype)

    return {
        'ours: CE': lambda z, y, t: ce(z, y),
        'ours: JML': lambda z, y, t: jml(z, y),
        'ours: CE + JML': lambda z, y, t: both(z, y),
        'ours: CE + JML, BLS': lambda z, y, t: bls(z, y),
        'ours: KD, four terms': distil,
    }


def torchs() -> dict[str, Loss]:
    """The baseline of every ratio."""
    return {BASELINE: lambda z, y, t: F.cross_entropy(z, y, ignore_index=255)}


def mmsegs() -> dict[str, Loss]:
    """MMSegmentation's losses, as a head calls them."""
    from mmseg.models.losses import CrossEntropyLoss, DiceLoss, LovaszLoss, TverskyLoss

    # DiceLoss takes ignore_index for a class: without one it indexes past the classes.
    losses: dict[str, Any] = {
        'CE': CrossEntropyLoss(avg_non_ignore=True),
        'Dice': DiceLoss(use_sigmoid=False),
        'Tversky': TverskyLoss(),
        'Lovász': LovaszLoss(reduction='none'),
    }
    return {
        f'mmseg: {name}': lambda z, y, t, loss=loss: loss(z, y, ignore_index=255)
        for name, loss in losses.items()
    }


def smps() -> dict[str, Loss]:
    """segmentation_models_pytorch."""
    name = 'segmentation_models_pytorch'
    spec = find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f'No module named {name!r}')
    # Its losses are torch alone; the package itself imports timm and torchvision.
    package = ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules.setdefault(name, package)
    losses = import_module(f'{name}.losses')
    jaccard = losses.JaccardLoss('multiclass')  # knows no ignored pixels
    lovasz = losses.LovaszLoss('multiclass', ignore_index=255)
    return {
        'SMP: Jaccard': lambda z, y, t: jaccard(z, y.where(y != 255, 0)),
        'SMP: Lovász': lambda z, y, t: lovasz(z, y),
    }


def monais() -> dict[str, Loss]:
    """MONAI, which knows no ignored pixels here."""
    dice = import_module('monai.losses').DiceLoss(
        softmax=True, to_onehot_y=True, jaccard=True
    )
    return {
        'MONAI: Dice(jaccard)': lambda z, y, t: dice(z, y.where(y != 255, 0)[:, None])
    }


def kornias() -> dict[str, Loss]:
    """kornia."""
    losses = import_module('kornia.losses')
    return {
        'kornia: Dice': lambda z, y, t: losses.dice_loss(z, y, ignore_index=255),
        'kornia: Tversky': lambda z, y, t: losses.tversky_loss(
            z, y, 0.5, 0.5, ignore_index=255
        ),
    }


FAMILIES = {
    'torch': torchs,
    'mmseg_jml': ours,
    'mmseg': mmsegs,
    'segmentation_models_pytorch': smps,
    'monai': monais,
    'kornia': kornias,
}


def contestants() -> tuple[dict[str, Loss], dict[str, str]]:
    """Those that import here, and why the others do not."""
    losses: dict[str, Loss] = {}
    missing = {}
    for name, family in FAMILIES.items():
        try:
            losses.update(family())
        except (
            Exception
        ) as error:  # a peer may fail in any way: it is named and left out
            missing[name] = f'{type(error).__name__}: {error}'.split('\n')[0]
    return losses, missing
