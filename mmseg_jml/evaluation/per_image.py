"""A table with one row for each evaluated image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.logging import MMLogger
from torch import Tensor

from ..functional.overlap import picture_measures
from .entries import ImageEntry, Statistics
from .fine_grained_iou import unpack_areas
from .image_names import names_below_common_folder


def rows(
    entries: Sequence[ImageEntry],
    classes: Sequence[str],
    columns: Mapping[str, tuple[Statistics, str]],
) -> list[list[str]]:
    """The header and one row for each image.

    The columns are the image's path relative to the folder that holds all images, the
    intersection and the union of each class in pixels, the mIoU over the classes in the
    image's label (in per cent), and then `columns`, which maps a title to the
    statistics and the measure to show. A value that an image does not have is empty.
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
    names = names_below_common_folder([entry.name for entry in entries])
    for i, name in enumerate(names):
        cells = [column[i] for column in shown]
        table.append([name, *map(str, pixels[i]), *cells])
    return table


def _cells(values: Tensor, some: Tensor) -> list[str]:
    pairs = zip(values.tolist(), some.tolist(), strict=True)
    return [f'{value:.6g}' if has else '' for value, has in pairs]


def log_folder() -> Path:
    """The folder of the current run's log, which is named by its start time.

    Raises:
        ValueError: No run is active that writes a log file.
    """
    log_file = MMLogger.get_current_instance().log_file
    if log_file is None:
        raise ValueError(
            '`output_dir` must be a folder when the metric is used outside of a run, '
            'got None'
        )
    return Path(log_file).parent
