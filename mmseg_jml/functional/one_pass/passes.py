"""The pass over the logits, in chunks and in both directions.

The numbers in the comments are those of the algebra in this folder's docstring.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..tensors import working_dtype
from .chunks import Activation, Chunk, Pixels, softmax_gradient
from .dense_chunks import (
    DenseChunk,
    ElementwiseGradient,
    densify,
    elementwise_gradient,
)
from .label_chunks import LabelChunk, Smoothed, few_columns
from .sums import ChunkSums, gathered

if TYPE_CHECKING:
    from .class_sums import Target

SMALL = 2**18  # numbers of a chunk: smaller ones hardly cost less
TENSORS = ('label', 'probs', 'logits', 'epsilon', 'class_weight')  # of a target


class Pass:
    """What both directions of a pass know: the tensors and how to walk over them."""

    def __init__(
        self,
        logits: Tensor,
        targets: Sequence['Target'],
        weight: Tensor | None,
        activation: Activation,
        temperature: float,
    ) -> None:
        # Flat once: of some layouts this makes a copy.
        self.targets = [_flat(target) for target in targets]
        self.weight = None if weight is None else weight.flatten(1)
        self.activation: Activation = activation
        self.temperature = temperature
        self.needs: frozenset[str] = frozenset().union(
            *(each.needs for each in targets)
        )
        self.dtype = working_dtype(logits.dtype)
        self.num_classes = logits.shape[1]
        # The exponentials wait in the gradient's memory, if they fit there.
        self.keep = (
            torch.is_grad_enabled()
            and logits.requires_grad
            and logits.dtype == self.dtype
            and activation == 'softmax'
        )
        self.sparse = activation == 'softmax' and self.num_classes > 1
        self.dense = not self.sparse or any(t.label is None for t in self.targets)
        self.columns: dict[Any, Tensor | None] = {}  # the smoothed ones of each chunk

    def tensors(self) -> list[Tensor | None]:
        """The tensors that both directions read, but the logits."""
        found = [getattr(target, name) for target in self.targets for name in TENSORS]
        return [self.weight, *found]

    def with_tensors(self, tensors: Sequence[Tensor | None]) -> 'Pass':
        """The same pass over other tensors, in the order of `tensors()`."""
        made = copy.copy(self)
        made.weight, *rest = tensors
        made.targets = []
        for index, target in enumerate(self.targets):
            start = index * len(TENSORS)
            part = rest[start : start + len(TENSORS)]
            named: dict[str, Any] = dict(zip(TENSORS, part, strict=True))
            made.targets.append(target._replace(**named))
        return made

    def groups(self, logits: Tensor) -> Iterator[tuple[slice, list[slice]]]:
        """The images that are worked on together, and the parts of their pixels.

        A large image is alone and in parts; small ones share a chunk whole.
        """
        images, num_classes, pixels = logits.shape
        # What a cache holds, and little of a small batch; a GPU has to be kept busy.
        size = min(2**20, max(logits.numel() // 15, SMALL))
        size = 2**23 if logits.is_cuda else size
        length = max(size // num_classes // 8 * 8, 8)  # for `sum_by_class`
        together = max(size // max(num_classes * pixels, 1), 1)
        parts = [slice(i, min(i + length, pixels)) for i in range(0, pixels, length)]
        for start in range(0, images, together):
            yield slice(start, min(start + together, images)), parts

    def chunks(self, logits: Tensor) -> Iterator[tuple[slice, slice]]:
        """The images and the pixels of each chunk."""
        for images, parts in self.groups(logits):
            for part in parts:
                yield images, part

    def sums(self, logits: Tensor, buffer: Tensor | None) -> tuple[Any, ...]:
        """The sums (2,N,C), (T,2,N,C), (T,N), and by name what has no derivative.

        The exponentials are left in `buffer`, if there is one.
        """
        groups = []
        for images, parts in self.groups(logits):
            groups.append(ChunkSums(self, images))
            for part in parts:
                values = self.prepared(logits, images, part)
                out = None if buffer is None else of_chunk(buffer, images, part)
                groups[-1].add(part, Chunk(values, self.activation, out))
        return gathered(logits, groups, len(self.targets))

    def gradient(
        self, logits: Tensor, buffer: Tensor | None, *grads: Tensor | None
    ) -> Tensor:
        """The gradient of the logits, given those of the first three of the sums.

        It is written over the exponentials in `buffer`, if there is one.
        """
        grad = torch.empty_like(logits) if buffer is None else buffer
        for images, parts in self.groups(logits):
            slopes = _Slopes(self, images, *grads)
            for part in parts:
                place = of_chunk(grad, images, part)
                if buffer is None:
                    chunk = Chunk(self.prepared(logits, images, part), self.activation)
                else:
                    chunk = Chunk.from_exponentials(place)
                values = _chunk_gradient(self, slopes, chunk, images, part)
                if buffer is None:
                    place.copy_(values)
        return grad

    def pixels(self, images: slice, part: slice, like: Tensor) -> Pixels:
        """How much a chunk's pixels count: not at all where some label is ignored."""
        weight = None
        labels: list[Tensor | None] = []
        if self.weight is not None:
            weight = self.weight[images, part].to(like.dtype)
        for target in self.targets:
            if target.label is None:
                labels.append(None)
                continue
            # Of int64 the CPU compares and converts an element at a time.
            label = target.label[images, part].int()
            valid = torch.empty_like(label)
            torch.ne(label, target.ignore_index, out=valid)
            labels.append((label * valid).long())
            mask = valid.to(like.dtype)
            weight = mask if weight is None else weight * mask
        if weight is None:
            weight = like.new_ones(like.shape[1:])
        used = weight if self.weight is None else (weight > 0).to(weight.dtype)
        return Pixels(weight, used, labels)

    def prepared(self, logits: Tensor, images: slice, part: slice) -> Tensor:
        """A chunk of logits (C,G,L), at least float32, at temperature 1."""
        chunk = of_chunk(logits, images, part).to(self.dtype)
        return chunk if self.temperature == 1 else chunk / self.temperature

    def compare(
        self, index: int, chunk: Chunk, pixels: Pixels, images: slice, part: slice
    ) -> LabelChunk | DenseChunk:
        """The chunk of a target, beside that of the prediction."""
        target, label = self.targets[index], pixels.label[index]
        class_weight = target.class_weight
        if class_weight is not None:
            class_weight = class_weight.to(chunk.x).unsqueeze(1)
        if label is not None:
            epsilon = target.epsilon
            if epsilon is not None:
                epsilon = epsilon[images, part].to(chunk.x.dtype) * pixels.used
            if self.sparse:
                smoothed = self.smoothed(epsilon, (index, images.start, part.start))
                return LabelChunk(chunk, label, pixels, smoothed, class_weight)
            sigmoid = self.activation == 'sigmoid'
            values = densify(label, epsilon, chunk.x, sigmoid=sigmoid)
            values *= pixels.used
        elif target.logits is not None:
            values = self.teacher(target.logits, images, part, pixels)
        elif target.probs is None:
            raise ValueError('`Target` must have a label, probs or logits, got none')
        else:
            values = of_chunk(target.probs, images, part).to(chunk.x) * pixels.used
        return DenseChunk(chunk, values, pixels, class_weight, self.activation)

    def smoothed(self, epsilon: Tensor | None, key: Any) -> Smoothed | None:
        """The smoothed pixels of a chunk, looked for in the first of two passes."""
        if epsilon is None:
            return None
        if key not in self.columns:
            self.columns[key] = few_columns(epsilon)
        return Smoothed(epsilon, self.num_classes, self.columns[key])

    def teacher(
        self, logits: Tensor, images: slice, part: slice, pixels: Pixels
    ) -> Tensor:
        """A teacher's probabilities (C,G,L), 0 at the pixels that do not count."""
        chunk = Chunk(self.prepared(logits, images, part), self.activation)
        scale = chunk.scale
        return chunk.x * (pixels.used if scale is None else scale * pixels.used)


class _Slopes:
    """The gradients of some images' sums, in the type of the pass; None: not asked."""

    def __init__(
        self,
        pass_: Pass,
        images: slice,
        shared: Tensor | None,
        own: Tensor | None,
        cross_entropy: Tensor | None,
    ) -> None:
        def of(total: Tensor | None, asked: bool, *index: int) -> Tensor | None:
            if total is None or not asked:
                return None
            values = (total[index][images] / pass_.temperature).to(pass_.dtype)
            return values.T if values.ndim == 2 else values.unsqueeze(1)

        self.probs = of(shared, 'probs' in pass_.needs, 0)
        self.probs_squared = of(shared, 'probs_squared' in pass_.needs, 1)
        self.targets = [
            (
                of(own, 'minimum' in target.needs, index, 0),
                of(own, 'product' in target.needs, index, 1),
                of(cross_entropy, 'cross_entropy' in target.needs, index),
            )
            for index, target in enumerate(pass_.targets)
        ]


def _chunk_gradient(
    pass_: Pass, slopes: _Slopes, chunk: Chunk, images: slice, part: slice
) -> Tensor:
    pixels = pass_.pixels(images, part, chunk.x)
    given = (chunk, pixels, slopes.probs, slopes.probs_squared)
    softmax = pass_.activation == 'softmax'
    if softmax and pass_.dense:
        chunk.normalise_(pixels.used)
    compared = [
        pass_.compare(index, chunk, pixels, images, part)
        for index in range(len(pass_.targets))
    ]
    pairs = list(zip(compared, slopes.targets, strict=True))
    if softmax:
        return softmax_gradient(*given, [each.gradient(*own) for each, own in pairs])
    sigmoid = pass_.activation == 'sigmoid'
    dense = [
        ElementwiseGradient(each, *own)
        for each, own in pairs
        if isinstance(each, DenseChunk)
    ]
    return elementwise_gradient(*given, dense, sigmoid=sigmoid)


def of_chunk(values: Tensor, images: slice, part: slice) -> Tensor:
    """A chunk's view (C,G,L) of values (N,C,P)."""
    return values[images, :, part].transpose(0, 1)


def _flat(target: 'Target') -> 'Target':
    """A target of (N,P) and (N,C,P)."""
    flat = {
        name: values.flatten(start)
        for name, start in (('label', 1), ('epsilon', 1), ('probs', 2), ('logits', 2))
        if (values := getattr(target, name)) is not None
    }
    needs = target.needs
    if 'pixel_weight' in needs:  # the two are found together
        needs |= {'cross_entropy'}
    return target._replace(needs=needs, **flat)
