"""What a model knows of each pixel: probabilities, confidence, entropy."""

import torch
from torch import Tensor

from .tensors import working_dtype


def class_probs(scores: Tensor) -> Tensor:
    """Probabilities (C,H,W) of what a segmentor hands out, at least two classes.

    `scores` are logits (C,H,W); a single channel is the foreground's probability, to
    which MMSegmentation has applied the sigmoid already, and becomes (1 - p, p). Half
    precision is raised to float32.

    >>> class_probs(torch.tensor([[[0.75]]])).flatten().tolist()
    [0.25, 0.75]
    """
    scores = scores.to(working_dtype(scores.dtype))
    if len(scores) == 1:
        return torch.cat([1 - scores, scores])
    return scores.softmax(dim=0)


def confidence_map(probs: Tensor, prediction: Tensor) -> Tensor:
    """The probability (H,W) of the predicted class, from probs (C,H,W), ids (H,W).

    >>> confidence_map(torch.tensor([[[0.25]], [[0.75]]]), torch.tensor([[1]])).item()
    0.75
    """
    return probs.gather(0, prediction.long().unsqueeze(0))[0]


def entropy_map(probs: Tensor) -> Tensor:
    """The entropy (H,W) of probs (C,H,W) in nats: 0 when sure, log C when clueless.

    >>> round(entropy_map(torch.tensor([[[0.5]], [[0.5]]])).item(), 4)
    0.6931
    """
    return -torch.xlogy(probs, probs).sum(0)
