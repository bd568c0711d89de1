"""Hard labels to targets and masks."""

import torch
from torch import Tensor

IGNORE_INDEX = 255


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
