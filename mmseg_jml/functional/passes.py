"""One pass over the logits: the tensors, and how they are walked over in chunks."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .chunks import Activation, Chunk, Pixels, working_dtype
from .dense_chunks import DenseChunk, densify
from .label_chunks import LabelChunk, Smoothed, few_columns
from .targets import Needs, Target

SMALL = 2**18  # numbers of a chunk: smaller ones hardly cost less


class Pass:
    """What both directions of a pass know: the tensors and how to walk over them."""

    def __init__(
        self,
        logits: Tensor,
        targets: Sequence[Target],
        weight: Tensor | None,
        activation: Activation,
        temperature: float,
    ) -> None:
        # Flat once: of some layouts this makes a copy.
        self.targets = [_flat(target) for target in targets]
        self.weight = None if weight is None else weight.flatten(1)
        self.activation: Activation = activation
        self.temperature = temperature
        self.needs: Needs = frozenset().union(*(each.needs for each in targets))
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

    def tensors(self) -> list[Tensor]:
        """The tensors that both directions read, but the logits."""
        names = ('label', 'probs', 'logits', 'epsilon', 'class_weight')
        found = [getattr(target, name) for target in self.targets for name in names]
        return [each for each in (self.weight, *found) if each is not None]

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


def of_chunk(values: Tensor, images: slice, part: slice) -> Tensor:
    """A chunk's view (C,G,L) of values (N,C,P)."""
    return values[images, :, part].transpose(0, 1)


def _flat(target: Target) -> Target:
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
