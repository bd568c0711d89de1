"""One row of a table for each evaluated picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import torch
from mmengine.logging import MMLogger
from torch import Tensor

from ..functional.overlap import picture_measures
from .entries import ImageEntry, Statistics
from .fine_grained_iou import unpack_areas


def rows(
    entries: Sequence[ImageEntry],
    classes: Sequence[str],
    columns: Mapping[str, tuple[Statistics, str]],
) -> list[list[str]]:
    """The header and a row for each picture.

    Columns: name, intersection and union of each class in pixels, mIoU over the classes
    in the picture's label (per cent), then `columns`: their title, and the statistics
    and the measure that they show. A value that a picture does not have is empty.
    """
    areas = unpack_areas([entry.areas for entry in entries if entry.areas is not None])
    union = areas.prediction + areas.label - areas.intersection
    miou, some = picture_measures(areas)
    shown = [_cells(100 * miou['mIoU'], some)]
    shown += [
        _cells(pictures.measures()[measure], pictures.some())
        for pictures, measure in columns.values()
    ]
    pixels = torch.stack([areas.intersection, union], dim=2).flatten(1).tolist()
    titles = [f'{kind}.{c}' for c in classes for kind in ('intersection', 'union')]
    table = [['name', *titles, 'mIoU', *columns]]
    for i, entry in enumerate(entries):
        cells = [column[i] for column in shown]
        table.append([entry.name, *map(str, pixels[i]), *cells])
    return table


def _cells(values: Tensor, some: Tensor) -> list[str]:
    pairs = zip(values.tolist(), some.tolist(), strict=True)
    return [f'{value:.6g}' if has else '' for value, has in pairs]


def picture_name(path: str) -> str:
    """The file name of a picture's path or URL.

    >>> picture_name('data/img_dir/test/0001.jpg')
    '0001.jpg'
    """
    return PurePosixPath(path.replace('\\', '/')).name


def log_folder() -> Path:
    """The folder of the running experiment's log: its work dir's, by time.

    Raises:
        ValueError: nothing is running that writes a log file.
    """
    log_file = MMLogger.get_current_instance().log_file
    if log_file is None:
        raise ValueError('`output_dir` must be a folder, got None outside a run')
    return Path(log_file).parent
