"""What the calibration metric keeps of an image, and what it makes of many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..functional.calibration import BinTable, calibration_measures, merge_tables

Region = Literal['all', 'boundary', 'interior']


@dataclass(frozen=True)
class PackedTable:
    """An image's table without its empty bins: no image has 2**31 pixels.

    Arrays: a tensor costs 400 bytes to pickle.
    """

    shape: tuple[int, ...]
    index: np.ndarray  # int32
    count: np.ndarray  # int32
    confidence: np.ndarray  # float64
    correct: np.ndarray  # int32


def pack(table: BinTable) -> PackedTable:
    """An image's table of any shape, packed."""
    index = table.count.flatten().nonzero().squeeze(1)
    count, confidence, correct = (part.flatten()[index] for part in table)
    parts = (index.int(), count.int(), confidence, correct.int())
    return PackedTable(tuple(table.count.shape), *(p.cpu().numpy() for p in parts))


def unpack(packed: PackedTable) -> BinTable:
    """The table that was packed."""
    index = torch.from_numpy(packed.index).long()

    def whole(filled: np.ndarray, dtype: torch.dtype) -> Tensor:
        values = torch.zeros(packed.shape, dtype=dtype)
        values.view(-1)[index] = torch.from_numpy(filled).to(dtype)
        return values

    return BinTable(
        whole(packed.count, torch.int64),
        whole(packed.confidence, torch.float64),
        whole(packed.correct, torch.int64),
    )


@dataclass
class ImageEntry:
    """One image: counts and sums. Parts are the interior and the boundary.

    No NamedTuple: MMEngine makes plain tuples of those when it collects the ranks.
    """

    name: str
    parts: PackedTable  # (2,B)
    sums: np.ndarray  # float64 (2,2), of NLL and Brier by part
    fine: PackedTable | None = None  # (2,FINE_BINS)
    per_class: PackedTable | None = None  # (C,B)
    class_wise: PackedTable | None = None  # (C,B)
    areas: np.ndarray | None = None  # int32 (3,C)


class Statistics(NamedTuple):
    """The sums of a region: tables (*,B), and NLL and Brier (*,2)."""

    table: BinTable
    sums: Tensor

    def some(self) -> Tensor:
        """Which have any pixel: bool (*)."""
        return self.table.count.sum(-1) > 0

    def measures(self) -> dict[str, Tensor]:
        """Measures (*) in per cent, NLL in nats, Brier in [0,2]; 0 without a pixel."""
        found = {k: 100 * v for k, v in calibration_measures(self.table).items()}
        means = self.sums / self.table.count.sum(-1, keepdim=True).clamp(min=1)
        return {**found, 'NLL': means[..., 0], 'Brier': means[..., 1]}


def statistics(entries: Sequence[ImageEntry]) -> dict[Region, Statistics]:
    """The sums of each region in each image: (images,B), (images,2)."""
    tables = [unpack(entry.parts) for entry in entries]
    table = BinTable(*(torch.stack(part) for part in zip(*tables, strict=True)))
    sums = torch.from_numpy(np.stack([entry.sums for entry in entries]))
    part = {
        region: Statistics(BinTable(*(each[:, i] for each in table)), sums[..., i])
        for i, region in enumerate(('interior', 'boundary'))
    }
    whole = Statistics(BinTable(*(each.sum(1) for each in table)), sums.sum(-1))
    return {'all': whole, 'boundary': part['boundary'], 'interior': part['interior']}


def fine_tables(packed: Sequence[PackedTable]) -> dict[Region, BinTable]:
    """The fine table of each region over all images."""
    total = merge_tables(map(unpack, packed))
    interior, boundary = (BinTable(*(each[i] for each in total)) for i in range(2))
    whole = merge_tables([interior, boundary])
    return {'all': whole, 'boundary': boundary, 'interior': interior}


def pooled_measures(pictures: Statistics, counts: Tensor) -> dict[str, Tensor]:
    """The measures of all pixels together (D), each image taken `counts` times.

    `counts` (rounds, images); the measures are (rounds,), of the rounds that have a
    pixel at all.
    """
    table = BinTable(*(counts @ part.double() for part in pictures.table))
    total = Statistics(table, counts @ pictures.sums)
    some = total.some()
    return {name: values[some] for name, values in total.measures().items()}


def image_measures(pictures: Statistics, counts: Tensor) -> dict[str, Tensor]:
    """The mean over images of their own measures (I), as `pooled_measures`.

    Images without a pixel in the region are left out.
    """
    some = pictures.some()
    counts = counts[:, some]
    total = counts.sum(1)
    drawn = total > 0
    return {
        name: (counts @ values[some])[drawn] / total[drawn]
        for name, values in pictures.measures().items()
    }
