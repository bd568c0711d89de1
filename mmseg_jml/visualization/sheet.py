"""Images, labels, predictions, confidence and errors side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

Colour = Sequence[int]
Prediction = tuple[np.ndarray, np.ndarray]
Map = Literal['prediction', 'confidence', 'error']

MAPS: tuple[Map, ...] = get_args(Map)
HATCH_PERIOD = 6  # pixels
HATCH_COLOURS = np.array([(255, 255, 255), (20, 20, 20)], np.uint8)
CONFIDENCE_COLOURS = 'viridis'  # even in lightness, for any colour vision
RIGHT_COLOUR = (45, 45, 45)  # behind which the surest errors, the lightest, stand out
IGNORED = Patch(facecolor='white', hatch='////', label='ignored')
RIGHT = Patch(
    facecolor=[channel / 255 for channel in RIGHT_COLOUR], label='in errors: right'
)
CELL_HEIGHTS = 1.35, 2.2  # inches, on sheets of several rows and of one or two


def prediction_sheet(
    pictures: Sequence[np.ndarray],
    labels: Sequence[np.ndarray] | None,
    runs: Mapping[str, Sequence[Prediction]],
    *,
    classes: Sequence[str],
    palette: Sequence[Colour],
    maps: Sequence[Map] = ('prediction', 'confidence'),
    ignore_index: int = 255,
) -> Figure:
    """One row an image: the image, its label, and maps of each run.

    Args:
        pictures: (H, W, 3) uint8 RGB each; they may differ in size.
        labels: (H, W) integers each, in [0, C) or ignored, which is shown hatched; None
            leaves the column out.
        runs: By the run's name, (prediction, confidence) of every image:
            (H, W) integers in [0, C) and (H, W) probabilities of the predicted class.
            The colours begin at 1 / C, or lower where a confidence is lower, which a
            binary head with a threshold below one half has.
        classes: The C class names.
        palette: An RGB colour in 0 to 255 a class.
        maps: What to show of each run, in this order: 'prediction', 'confidence',
            'error', which is the confidence where the prediction is wrong.
        ignore_index: The id of ignored pixels.

    Returns:
        A figure to be saved with `figure.savefig(path)`.

    Raises:
        ValueError: There is no image; numbers of images, labels, predictions or
            colours differ; a map has not its image's size or holds other ids; or
            `maps` holds another word, or 'error' without labels.

    >>> picture, label = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), int)
    >>> runs = {'CE': [(label, np.ones((4, 6)))]}
    >>> sheet = prediction_sheet(
    ...     [picture], [label], runs, classes=['all'], palette=[(90, 90, 90)]
    ... )
    >>> [axes.get_title() for axes in sheet.axes[:4]]
    ['picture', 'label', 'CE: prediction', 'CE: confidence']
    """
    _check(pictures, labels, runs, classes, palette, maps)
    titles = ['picture', *([] if labels is None else ['label'])]
    titles += [f'{run}: {what}' for run in runs for what in maps]
    aspect = pictures[0].shape[1] / pictures[0].shape[0]
    cell = CELL_HEIGHTS[len(pictures) < 3]
    size = (cell * aspect * len(titles) + 0.8, cell * len(pictures) + 0.8)
    figure = Figure(figsize=size, dpi=130, layout='constrained')
    grid = figure.subplots(len(pictures), len(titles), squeeze=False)
    scale = Normalize(_lowest(runs, len(classes)), 1)
    for row, axes in enumerate(grid):
        cells = iter(axes)
        next(cells).imshow(pictures[row])
        label = None if labels is None else labels[row]
        if label is not None:
            next(cells).imshow(paint_label(label, palette, ignore_index=ignore_index))
        for predictions in runs.values():
            for what in maps:
                image = _image(
                    what, *predictions[row], label, palette, ignore_index, scale
                )
                next(cells).imshow(image, CONFIDENCE_COLOURS, norm=scale)
    for title, axes in zip(titles, grid[0], strict=True):
        axes.set_title(title, fontsize=10)
    for axes in grid.flat:
        axes.set_axis_off()
    others = [] if labels is None else [IGNORED]
    others += [RIGHT] if 'error' in maps else []
    _explain(figure, grid[:, -1], scale, classes, palette, others)
    return figure


def _lowest(runs: Mapping[str, Sequence[Prediction]], num_classes: int) -> float:
    """Where the scale begins: at 1 / C, below which no softmax decides.

    The threshold of a binary head of one channel does: it begins at a tenth below.
    """
    even = 1 / max(num_classes, 2)
    lowest = [float(maps[1].min()) for run in runs.values() for maps in run]
    shown = min(lowest, default=even)
    # Float32 rounds 1 / C down.
    return even if shown > even - 1e-6 else int(10 * shown) / 10


def paint_label(
    label: np.ndarray, palette: Sequence[Colour], *, ignore_index: int = 255
) -> np.ndarray:
    """A label map in its classes' colours, ignored pixels hatched black and white.

    Args:
        label: (H, W) integers in [0, C) or `ignore_index`.
        palette: C colours, RGB in 0 to 255.
        ignore_index: The id of ignored pixels.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: `label` is not (H, W) or holds another id.

    >>> paint_label(np.array([[0, 1]]), [(9, 9, 9), (0, 158, 115)]).tolist()
    [[[9, 9, 9], [0, 158, 115]]]
    """
    if label.ndim != 2:
        raise ValueError(f'`label` must be (H, W), got shape {label.shape}')
    ignored = label == ignore_index
    known = ignored | ((label >= 0) & (label < len(palette)))
    if not known.all():
        raise ValueError(
            f'`label` must hold ids from 0 to {len(palette) - 1} or {ignore_index}, '
            f'got {np.unique(label[~known]).tolist()}'
        )
    painted = np.asarray(palette, np.uint8)[np.where(ignored, 0, label)]
    return _hatch(painted, ignored)


def _hatch(painted: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(ignored)
    stripe = (rows + columns) % HATCH_PERIOD * 2 // HATCH_PERIOD
    painted[rows, columns] = HATCH_COLOURS[stripe]
    return painted


def _image(
    what: Map,
    prediction: np.ndarray,
    confidence: np.ndarray,
    label: np.ndarray | None,
    palette: Sequence[Colour],
    ignore_index: int,
    scale: Normalize,
) -> np.ndarray:
    """RGB, or the confidence itself, which the axes colour by `scale`."""
    if what == 'prediction':
        return paint_label(prediction, palette)
    if what == 'confidence':
        return confidence
    right = (prediction == label)[..., None]
    colours = matplotlib.colormaps[CONFIDENCE_COLOURS](scale(confidence), bytes=True)
    painted = np.where(right, np.uint8(RIGHT_COLOUR), colours[..., :3])
    return _hatch(painted, label == ignore_index)


def _explain(
    figure: Figure,
    last_column: Sequence[Axes],
    scale: Normalize,
    classes: Sequence[str],
    palette: Sequence[Colour],
    others: Sequence[Patch],
) -> None:
    """Add what the colours mean."""
    colours = [tuple(channel / 255 for channel in colour) for colour in palette]
    patches = [
        Patch(facecolor=colour, edgecolor='black', linewidth=0.5, label=name)
        for colour, name in zip(colours, classes, strict=True)
    ]
    patches += others
    add_legend(figure, patches)
    bar = figure.colorbar(
        ScalarMappable(scale, CONFIDENCE_COLOURS), ax=list(last_column), pad=0.02
    )
    bar.set_label('probability of the predicted class', fontsize=9)
    bar.ax.tick_params(labelsize=8)


def add_legend(figure: Figure, patches: Sequence[Patch]) -> None:
    """What the colours mean, below, in as many columns as the figure is wide for."""
    longest = max(len(str(patch.get_label())) for patch in patches)
    column = 0.6 + 0.08 * longest  # inches
    figure.legend(
        handles=patches,
        loc='outside lower center',
        ncols=max(1, min(len(patches), int(figure.get_figwidth() / column))),
        frameon=False,
        fontsize=9,
    )


def _check(
    pictures: Sequence[np.ndarray],
    labels: Sequence[np.ndarray] | None,
    runs: Mapping[str, Sequence[Prediction]],
    classes: Sequence[str],
    palette: Sequence[Colour],
    maps: Sequence[Map],
) -> None:
    if len(pictures) == 0:
        raise ValueError('`pictures` must hold at least one image, got none')
    if len(palette) != len(classes):
        raise ValueError(
            f'`palette` must hold a colour for each of the {len(classes)} `classes`, '
            f'got {len(palette)}'
        )
    for index, picture in enumerate(pictures):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(
                f'`pictures[{index}]` must be (H, W, 3) uint8, '
                f'got {picture.shape} {picture.dtype}'
            )
    if any(what not in MAPS for what in maps):
        raise ValueError(f'`maps` must be some of {MAPS}, got {tuple(maps)}')
    if labels is not None:
        _check_maps('labels', labels, pictures)
    elif 'error' in maps:
        raise ValueError("`maps` must not hold 'error' without `labels`")
    for name, predictions in runs.items():
        for part, what in enumerate(('prediction', 'confidence')):
            maps = [prediction[part] for prediction in predictions]
            _check_maps(f'runs[{name!r}]: {what}', maps, pictures)


def _check_maps(
    name: str, maps: Sequence[np.ndarray], pictures: Sequence[np.ndarray]
) -> None:
    if len(maps) != len(pictures):
        raise ValueError(
            f'`{name}` must hold one map for each of the {len(pictures)} images, '
            f'got {len(maps)}'
        )
    for index, (values, picture) in enumerate(zip(maps, pictures, strict=True)):
        if values.shape != picture.shape[:2]:
            raise ValueError(
                f"`{name}` {index} must have its image's size {picture.shape[:2]}, "
                f'got {values.shape}'
            )
