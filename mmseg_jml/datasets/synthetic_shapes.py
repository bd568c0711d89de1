"""A dataset that is drawn while it is read: nothing to download, nothing on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import lru_cache

import cv2
import numpy as np
from mmengine.fileio import BaseStorageBackend, register_backend
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from ..functional.checks import check_int
from .shape_kinds import KINDS
from .shape_scene import ShapeScene

PREFIX = 'synthetic-shapes'


@DATASETS.register_module()
class SyntheticShapesDataset(BaseSegDataset):
    """Overlapping textured shapes with truly ambiguous boundaries.

    Classes are the background, thin lines (about 4 % of the pixels), rare stars (about
    0.2 %) and ordinary shapes. `ShapeScene` says how an image is drawn. To
    MMSegmentation it looks like a dataset of files: images and masks have paths
    such as `synthetic-shapes://img/.../000007.bmp`, which MMEngine's file functions
    read by drawing, so that every stock transform, hook and tool works, among them
    `LoadImageFromFile` and `LoadAnnotations`.

    Args:
        length: How many images, at least 1.
        size: (H, W) of an image in pixels, as in `crop_size`; each at least 32.
        num_classes: From 4 to 10.
        seed: At least 0. Give training, validation and test each its own.
        edge_blur: Largest standard deviation, in pixels, of an edge in the image.
        edge_jitter: Standard deviation, in pixels, of the label's edge around it.
        rim: Width, in pixels to either side of an outline, of the ignored band (255)
            that some shapes have; 0 is none.
        metainfo, indices, serialize_data, pipeline, test_mode, lazy_init, max_refetch,
            reduce_zero_label: As in `BaseSegDataset`.

    Raises:
        TypeError: `length`, `size`, `num_classes`, `seed` or `rim` is not whole.
        ValueError: A number lies outside its range.

    >>> dataset = SyntheticShapesDataset(length=3, size=(64, 96), pipeline=[])
    >>> dataset[2]['img_path'].rsplit('/', 1)[1]
    '000002.bmp'
    """

    METAINFO = {  # noqa: RUF012  (the name and kind are mmengine's)
        'classes': tuple(kind.name for kind in KINDS),
        'palette': [list(kind.colour) for kind in KINDS],
    }

    def __init__(
        self,
        *,
        length: int = 1000,
        size: tuple[int, int] = (160, 224),
        num_classes: int = 6,
        seed: int = 0,
        edge_blur: float = 2.0,
        edge_jitter: float = 0.8,
        rim: int = 1,
        metainfo: dict | None = None,
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
        reduce_zero_label: bool = False,
    ) -> None:
        check_int('length', length, 1)
        if not isinstance(size, (tuple, list)) or len(size) != 2:
            raise TypeError(f'`size` must be (H, W), two ints, got {size!r}')
        height, width = size
        self.length = length
        self.scene = ShapeScene(
            height, width, num_classes, seed, edge_blur, edge_jitter, rim
        )
        super().__init__(
            metainfo={'classes': self.METAINFO['classes'][:num_classes]}
            | (metainfo or {}),
            indices=indices,
            serialize_data=serialize_data,
            pipeline=pipeline,
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
            reduce_zero_label=reduce_zero_label,
        )

    def load_data_list(self) -> list[dict]:
        """One entry a picture, as `BaseSegDataset` makes them from a folder."""
        return [
            {
                'img_path': scene_path(self.scene, 'img', index),
                'seg_map_path': scene_path(self.scene, 'ann', index),
                'label_map': self.label_map,
                'reduce_zero_label': self.reduce_zero_label,
                'seg_fields': [],
            }
            for index in range(self.length)
        ]


def scene_path(scene: ShapeScene, part: str, index: int) -> str:
    """Where MMEngine's file functions find a picture.

    Args:
        scene: What is drawn.
        part: 'img' for the image, 'ann' for its mask.
        index: Which image.

    >>> scene_path(ShapeScene(seed=3), 'ann', 7).startswith('synthetic-shapes://ann/')
    True
    """
    options = ','.join(f'{name}={value}' for name, value in asdict(scene).items())
    return f'{PREFIX}://{part}/{options}/{index:06d}.bmp'


@register_backend(PREFIX, prefixes=PREFIX, force=True)
class SyntheticShapesBackend(BaseStorageBackend):
    """Reads the paths of `scene_path` by drawing."""

    def get(self, filepath: str) -> bytes:
        """The picture or the mask, encoded as BMP, which costs next to nothing.

        Raises:
            FileNotFoundError: `filepath` is not one of `scene_path`.
        """
        part, scene, index = _parse(str(filepath))
        array = _render(scene, index)[0 if part == 'img' else 1]
        return cv2.imencode('.bmp', array)[1].tobytes()

    def get_text(self, filepath: str) -> str:
        """Nothing here is text.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f'{filepath} is an image, not text')

    def exists(self, filepath: str) -> bool:
        """Whether `get` has something to draw at this path."""
        try:
            _parse(str(filepath))
        except FileNotFoundError:
            return False
        return True


def _parse(path: str) -> tuple[str, ShapeScene, int]:
    try:
        part, options, name = path.removeprefix(f'{PREFIX}://').split('/')
        scene, index = _scene(options), int(name.removesuffix('.bmp'))
    except (ValueError, KeyError) as error:
        raise FileNotFoundError(f'no synthetic image at {path!r}: {error}') from error
    if part not in ('img', 'ann') or index < 0:
        raise FileNotFoundError(f'no synthetic image at {path!r}')
    return part, scene, index


@lru_cache(maxsize=8)  # a scene keeps its grid of pixels
def _scene(options: str) -> ShapeScene:
    kinds = {field.name: type(field.default) for field in fields(ShapeScene)}
    given = dict(option.split('=') for option in options.split(','))
    return ShapeScene(**{key: kinds[key](text) for key, text in given.items()})


# A pipeline reads the image and then its mask: drawn once for both.
@lru_cache(maxsize=2)
def _render(scene: ShapeScene, index: int) -> tuple[np.ndarray, np.ndarray]:
    return scene.render(index)
