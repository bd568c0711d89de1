"""What a student's logits lose against a teacher's, by the methods on logits.

KL and cross-entropy to a teacher are in `cross_entropy`, the Jaccard metric losses in
`jaccard`: they take the teacher's probabilities as target.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .chunks import working_dtype


def channel_wise_divergence(
    logits: Tensor,
    teacher_logits: Tensor,
    weight: Tensor | None = None,
    *,
    temperature: float = 4.0,
) -> Tensor:
    """T^2/(N C) sum over images and classes of KL(teacher || student) over the pixels.

    Each class's map (H W), divided by the temperature T, is made a distribution over
    the pixels by softmax. `logits` and `teacher_logits` are (N,C,*), `weight` (N,*) or
    None: pixels of weight 0 are in no distribution, the others weigh what they weigh.
    N counts the images that have any; without one the loss is a zero on the graph. Half
    precision is computed in float32. Only `logits` is differentiated.

    Source: Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction",
    ICCV 2021, equations 3 and 4.

    >>> teacher = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    >>> channel_wise_divergence(teacher, teacher).item()
    0.0
    """
    student, teacher = _maps(logits, teacher_logits, temperature)
    present = torch.ones_like(student[:, 0, :1])
    if weight is not None:
        log_weight = weight.flatten(1).to(student.dtype).log()
        present = (log_weight > -torch.inf).any(1, keepdim=True).to(student.dtype)
        # An image of ignored pixels alone has no distribution: it takes them all.
        log_weight = log_weight.where(present > 0, 0).unsqueeze(1)
        student, teacher = student + log_weight, teacher + log_weight
    log_q, log_p = student.log_softmax(-1), teacher.log_softmax(-1)
    difference = (log_p - log_q).where(log_p > -torch.inf, 0)
    divergence = (log_p.exp() * difference).sum(-1)
    mean = (divergence * present).sum() / present.sum().clamp(min=1)
    return temperature**2 * mean / logits.shape[1]


def dist_loss(
    logits: Tensor,
    teacher_logits: Tensor,
    weight: Tensor | None = None,
    *,
    beta: float = 1.0,
    gamma: float = 1.0,
    temperature: float = 1.0,
) -> Tensor:
    """T^2 (beta inter + gamma intra): one minus Pearson's correlation, twice.

    Of the probabilities of student and teacher, softened by the temperature T: inter
    correlates the classes of a pixel, and is a mean over the pixels; intra correlates
    the pixels of a class, all those of the batch, and is a mean over the classes.
    `logits` and `teacher_logits` are (N,C,*), `weight` (N,*) >= 0 or None; both
    relations are weighted by it. Where one side is constant the correlation is 0.
    Without any weight the loss is a zero on the graph. Half precision is computed in
    float32. Only `logits` is differentiated.

    Source: Huang et al., "Knowledge Distillation from A Stronger Teacher", NeurIPS
    2022, equations 5 to 10.

    >>> teacher = torch.tensor([[[0.0, 1.0], [3.0, 0.0]]])
    >>> abs(dist_loss(teacher, teacher).item()) < 1e-6
    True
    """
    maps = _maps(logits, teacher_logits, temperature)
    student, teacher = (each.softmax(1).transpose(0, 1).flatten(1) for each in maps)
    pixels = student.new_ones(student.shape[1])
    if weight is not None:
        pixels = weight.flatten().to(student.dtype)
    total = pixels.sum()
    share = pixels / total.where(total > 0, 1)
    classes = student.new_full((len(student), 1), 1 / len(student))
    inter = 1 - _correlation(student, teacher, classes, 0)
    intra = 1 - _correlation(student, teacher, share, 1)
    loss = beta * (inter * share).sum() + gamma * intra.mean() * (total > 0)
    return temperature**2 * loss


def _maps(
    logits: Tensor, teacher_logits: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Both logits divided by the temperature: (N,C,P), float32 at least."""
    dtype = working_dtype(logits.dtype)
    student, teacher = (
        each.flatten(2).to(dtype) / temperature
        for each in (logits, teacher_logits.detach())
    )
    return student, teacher


def _correlation(x: Tensor, y: Tensor, share: Tensor, dim: int) -> Tensor:
    """Pearson's correlation of x and y along `dim`, weighted by shares that sum to 1.

    The sums are those of the deviations, not of squares that cancel.
    """
    x, y = (each - (each * share).sum(dim, keepdim=True) for each in (x, y))
    root = share.sqrt()
    return F.cosine_similarity(x * root, y * root, dim=dim, eps=1e-8)
