"""What all functions ask of a tensor: where it lies, and what to compute in."""

import torch
from torch import Tensor


def on_cpu(tensor: Tensor) -> bool:
    """Whether a look at the data costs nothing, and products are exact enough.

    Elsewhere no step may wait for a value, and a float32 product may be one of TF32.
    """
    return tensor.device.type == 'cpu'


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """What is computed in: half precision is raised to float32."""
    half = dtype in (torch.float16, torch.bfloat16)
    return torch.float32 if half else dtype
