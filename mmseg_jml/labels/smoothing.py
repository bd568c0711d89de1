"""Label smoothing, everywhere or at the boundaries."""

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor

from ..functional.boundary import boundary_mask, check_kernel_size, smooth_target
from ..functional.checks import check_bool, check_number
from ..functional.targets import IGNORE_INDEX, one_hot, valid_mask
from ..registry import MODELS


class LabelTransform(Protocol):
    """What a loss takes as `label_smoothing`.

    A transform may also offer `epsilon_map(label, ignore_index)`, the strength of
    smoothing at each pixel, (N,H,W) in [0,1]; the losses then never build its target.
    """

    def __call__(
        self, label: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX
    ) -> Tensor:
        """The target (N,C,*) of a hard label (N,*), zero at ignored pixels."""
        ...


class _Smoothing(ABC):
    """A transform that mixes the one-hot label with the uniform distribution."""

    @abstractmethod
    def epsilon_map(self, label: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
        """The share of the uniform distribution at each pixel, of the label's shape."""

    def __call__(
        self, label: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX
    ) -> Tensor:
        """The target (N,C,*) float32 of a label (N,*), zero at ignored pixels.

        One channel is the foreground's, mixed with 1/2, as with a sigmoid.
        """
        epsilon = self.epsilon_map(label, ignore_index)
        hard = one_hot(label, num_classes, ignore_index)
        valid = valid_mask(label, ignore_index).unsqueeze(1)
        return smooth_target(hard, epsilon, sigmoid=num_classes == 1) * valid


@MODELS.register_module
class LabelSmoothing(_Smoothing):
    """Smooth every pixel: (1-epsilon) * one-hot + epsilon / C.

    Args:
        epsilon: the share of the uniform distribution, in [0,1].

    Source: Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016.

    >>> LabelSmoothing(epsilon=0.5)(torch.tensor([[[0, 255]]]), num_classes=2)
    tensor([[[[0.7500, 0.0000]],
    <BLANKLINE>
             [[0.2500, 0.0000]]]])
    """

    def __init__(self, *, epsilon: float = 0.1) -> None:
        check_number('epsilon', epsilon, 0, 1)
        self.epsilon = epsilon

    def epsilon_map(self, label: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
        """The strength at each pixel of (N,*), float32: epsilon at valid ones."""
        return valid_mask(label, ignore_index) * torch.tensor(self.epsilon)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(epsilon={self.epsilon})'


@MODELS.register_module
class BoundaryLabelSmoothing(_Smoothing):
    """Smooth the boundary pixels alone, where a label is truly uncertain.

    Args:
        kernel_size: odd width of the window that must hold another class.
        epsilon: the share of the uniform distribution there, in [0,1].
        ignore_neighbours: leave a pixel hard if its window holds an ignored one (the
            rule of the paper's code); False looks at the other classes only.

    A larger window wants a smaller epsilon; whether epsilon / C passes the
    `threshold` of `JaccardMetricLoss` decides if it sees every class in every batch.
    Source: Wang, Ning, Blaschko, NeurIPS 2023 (arXiv v1, section 2.4.1).

    >>> BoundaryLabelSmoothing()(torch.tensor([[[0, 0, 1]]]), num_classes=2)
    tensor([[[[1.0000, 0.7500, 0.2500]],
    <BLANKLINE>
             [[0.0000, 0.2500, 0.7500]]]])
    """

    def __init__(
        self,
        *,
        kernel_size: int = 3,
        epsilon: float = 0.5,
        ignore_neighbours: bool = True,
    ) -> None:
        check_kernel_size(kernel_size)
        check_number('epsilon', epsilon, 0, 1)
        check_bool('ignore_neighbours', ignore_neighbours)
        self.kernel_size = kernel_size
        self.epsilon = epsilon
        self.ignore_neighbours = ignore_neighbours

    def epsilon_map(self, label: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
        """The strength at each pixel, float32: epsilon at the boundary.

        `label` is (N,H,W) or a volume (N,D,H,W).

        Raises:
            ValueError: the label is a list of points (N,P), which has no neighbours.
        """
        if label.ndim < 3:
            raise ValueError(
                '`BoundaryLabelSmoothing` needs label maps (N,H,W) or volumes '
                f'(N,D,H,W), got {tuple(label.shape)}; points have no neighbours: use '
                '`LabelSmoothing`'
            )
        mask = boundary_mask(
            label, self.kernel_size, ignore_index, self.ignore_neighbours
        )
        return mask * torch.tensor(self.epsilon)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(kernel_size={self.kernel_size}, '
            f'epsilon={self.epsilon}, ignore_neighbours={self.ignore_neighbours})'
        )
