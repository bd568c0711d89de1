"""What a student's logits are away from a teacher's: KL, channel-wise KL, correlation.

Shapes are the same everywhere: `logits` and `teacher_logits` (N,C,*), `weight` (N,*)
>= 0, 0 at ignored pixels, which change neither value nor gradient. Half precision is
computed in float32. Only `logits` is differentiated. Without any weight the result is
a zero on the graph.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .cross_entropy import CROSS_ENTROPY, cross_entropy_of, cross_entropy_partials
from .door import check_two_sides
from .one_pass import Target, class_sums
from .one_pass.chunks import Activation, Chunk
from .one_pass.passes import Pass
from .tensors import working_dtype

# Squares of float32 end near it: what is smaller still is taken to be nothing.
_NO_SQUARE = 1e-30


def entropy_sum(
    logits: Tensor,
    weight: Tensor | None = None,
    *,
    label: Target | None = None,
    activation: Activation = 'softmax',
    temperature: float = 1.0,
) -> Tensor:
    """The weighted sum over the pixels of the entropy of logits, a float64 scalar.

    With sigmoid the channels' entropies add up. Pixels that `label` ignores do not
    count. Nothing is differentiated.

    >>> round(entropy_sum(torch.zeros(1, 2, 1)).item(), 4)
    0.6931
    """
    labels = [] if label is None else [label]
    pass_ = Pass(logits, labels, weight, activation, temperature)
    logits = logits.detach().flatten(2)
    total = torch.zeros((), dtype=torch.float64, device=logits.device)
    for images, part in pass_.chunks(logits):
        values = pass_.prepared(logits, images, part)
        pixels = pass_.pixels(images, part, values)
        entropy = _entropy(values, activation) * pixels.weight
        total += pixels.total(entropy).sum(dtype=torch.float64)
    return total


def _entropy(logits: Tensor, activation: Activation) -> Tensor:
    """The entropy (G,L) of a chunk of logits (C,G,L)."""
    if activation == 'sigmoid':
        probs = torch.sigmoid(logits)
        return F.binary_cross_entropy_with_logits(logits, probs, reduction='none').sum(
            0
        )
    chunk = Chunk(logits, activation)
    return chunk.log_norm - chunk.normalised((chunk.x * chunk.shifted(logits)).sum(0))


def divergence_of(partials: Sequence[Tensor], temperature: float) -> Tensor:
    """T^2 KL from the sums of the cross-entropy, its weight, and the entropy."""
    cross_entropy, weight, entropy = partials
    return temperature**2 * cross_entropy_of([cross_entropy - entropy, weight])


def teacher_divergence(
    logits: Tensor,
    teacher_logits: Tensor,
    weight: Tensor | None = None,
    *,
    temperature: float = 1.0,
) -> Tensor:
    """T^2 times the mean over pixels of KL(teacher || student), a float64 scalar.

    Both are softened alike, softmax(z/T); T^2 keeps the gradient's size, which falls
    with 1/T^2. At T = 1 the gradient is that of the cross-entropy to the teacher.

    Source: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network",
    2015, section 2.

    >>> teacher = torch.tensor([[[0.0], [9.0]]])
    >>> round(teacher_divergence(torch.zeros(1, 2, 1), teacher).item(), 3)
    0.692
    """
    check_two_sides(logits, teacher_logits, weight, temperature)
    teacher = Target(CROSS_ENTROPY, logits=teacher_logits)
    (sums,) = class_sums(logits, [teacher], weight, temperature=temperature)
    entropy = entropy_sum(teacher_logits, weight, temperature=temperature)
    return divergence_of([*cross_entropy_partials(sums), entropy], temperature)


def channel_wise_divergence(
    logits: Tensor,
    teacher_logits: Tensor,
    weight: Tensor | None = None,
    *,
    temperature: float = 4.0,
) -> Tensor:
    """T^2 times the mean over channels of KL between maps that sum to 1 over pixels.

    Each channel of each image is a distribution over the image's pixels, softmax(z/T)
    with a pixel of weight w standing for w pixels; the mean is over the images that
    have a pixel.

    Source: Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", ICCV
    2021.

    >>> teacher = torch.tensor([[[0.0, 36.0]]])
    >>> round(channel_wise_divergence(torch.zeros(1, 1, 2), teacher).item(), 2)
    11.07
    """
    check_two_sides(logits, teacher_logits, weight, temperature)
    student, teacher, weight = _prepared(logits, teacher_logits, weight)
    some = weight.sum(1) > 0
    multiplicity = weight.where(some.unsqueeze(1), 1).log().unsqueeze(1)

    def log_share(values: Tensor) -> Tensor:
        values = values / temperature
        return values - torch.logsumexp(values + multiplicity, 2, keepdim=True)

    log_teacher = log_share(teacher)
    share = (log_teacher + multiplicity).exp()
    divergence = (share * (log_teacher - log_share(student))).sum(2).mean(1)
    return temperature**2 * (divergence * some).sum() / some.sum().clamp(min=1)


def correlation_losses(
    logits: Tensor,
    teacher_logits: Tensor,
    weight: Tensor | None = None,
    *,
    temperature: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """1 - Pearson's correlation of softmax(z/T): over classes, and over pixels.

    The first is over the classes of a pixel, its mean over the pixels; the second over
    the pixels of the whole batch for a class, its mean over the classes. What does not
    vary, but by rounding, correlates with nothing: 1, without a gradient. Float64
    scalars, in [0,2].

    Source: Huang et al., "Knowledge Distillation from A Stronger Teacher", NeurIPS
    2022, inter- and intra-class relation, a pixel being an instance. There is no T^2: a
    correlation keeps its size when both sides are scaled.

    >>> logits = torch.tensor([[[0.0, 1.0], [2.0, 0.0]]])
    >>> [round(loss.item(), 4) for loss in correlation_losses(logits, -logits)]
    [2.0, 2.0]
    """
    check_two_sides(logits, teacher_logits, weight, temperature)
    student, teacher, weight = _prepared(logits, teacher_logits, weight)
    student = (student / temperature).softmax(1)
    teacher = (teacher / temperature).softmax(1)
    total = weight.sum(dtype=torch.float64)
    total = total.where(total > 0, 1.0)
    return (
        _class_relation(student, teacher, weight) / total,
        _pixel_relation(student, teacher, weight, total),
    )


def _class_relation(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """The weighted sum over pixels of 1 - correlation along the classes."""
    means = [each.mean(1, keepdim=True) for each in (x, y)]
    floors = [_rounding(each.squeeze(1)) for each in means]
    x, y = x - means[0], y - means[1]
    sums = ((x * y).mean(1), x.square().mean(1), y.square().mean(1))
    return ((1 - _ratio(*sums, *floors)) * weight).sum(dtype=torch.float64)


def _pixel_relation(x: Tensor, y: Tensor, weight: Tensor, total: Tensor) -> Tensor:
    """The mean over classes of 1 - correlation along all pixels, 0 without any."""
    weight = weight.unsqueeze(1)

    def mean(values: Tensor) -> Tensor:
        return values.sum((0, 2), keepdim=True, dtype=torch.float64) / total

    means = [mean(each * weight).to(each.dtype) for each in (x, y)]
    floors = [_rounding(each) for each in means]
    # Of deviations, not of squares, which would cancel.
    x, y = x - means[0], y - means[1]
    weighted = x * weight
    sums = (mean(weighted * y), mean(weighted * x), mean(y * y * weight))
    return (1 - _ratio(*sums, *floors)).mean() * (weight > 0).any()


def _rounding(mean: Tensor) -> Tensor:
    """The largest variance that rounding gives to values that equal their mean."""
    error = 4 * torch.finfo(mean.dtype).eps * mean.detach()
    return error.square().clamp(min=_NO_SQUARE)


def _ratio(
    covariance: Tensor,
    variance_x: Tensor,
    variance_y: Tensor,
    floor_x: Tensor,
    floor_y: Tensor,
) -> Tensor:
    """Pearson's correlation; 0, and flat, where a variance is below its floor.

    Near 0 the correlation's slope is that of 1 / deviation: of rounding's deviation it
    would throw the student's weights away.
    """
    varies = (variance_x > floor_x) & (variance_y > floor_y)
    # The inner `where` keeps the root's slope at 0 off the graph.
    product = (variance_x.where(varies, 1) * variance_y.where(varies, 1)).sqrt()
    # NaN, which is above no floor, must not pass for what does not vary.
    return (covariance / product).where(varies | covariance.isnan(), 0)


def _prepared(
    logits: Tensor, teacher_logits: Tensor, weight: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Student and teacher (N,C,P), the teacher a constant, and the weight (N,P)."""
    dtype = working_dtype(logits.dtype)
    student, teacher = logits.flatten(2), teacher_logits.detach().flatten(2)
    if weight is None:
        weight = student.new_ones(len(student), student.shape[2])
    return student.to(dtype), teacher.to(dtype), weight.flatten(1).to(dtype)
