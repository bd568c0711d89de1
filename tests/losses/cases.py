"""Random logits and labels for the losses' tests."""

import torch


def case(n=2, c=5, h=9, w=11, dtype=torch.float64, seed=0):
    """Logits that require grad (N,C,H,W) and labels (N,H,W) with an ignored corner."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, c, h, w, generator=generator, dtype=torch.float64)
    label = torch.randint(0, max(c, 2), (n, h, w), generator=generator)
    label[0, : h // 3, : w // 2] = 255
    return logits.to(dtype).requires_grad_(), label


def value_and_grad(loss, logits, *args, **kwargs):
    """The loss and its gradient with respect to the logits."""
    value = loss(logits, *args, **kwargs)
    return value.detach(), torch.autograd.grad(value, logits)[0]
