"""Images and masks as a dataset's own pipeline reads them.

Whoever looks at an image or a mask of a dataset looks through a `Reader`: checks,
figures and hooks then see the pixels that the training run sees.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from ..visualization.rgb import rgb_image
from .files import JPEG, Mask, file_bytes, read_header, read_mask, whole_numbers
from .tiff import describe_tiff, is_tiff
from .views import LoadOptionalAnnotations

Step = Mapping[str, Any] | Callable
Entry = Mapping[str, Any]

# Decoders that are packages of their own, as pip and as Python name them.
PACKAGES = {
    'tifffile': ('tifffile', 'tifffile'),
    'turbojpeg': ('PyTurboJPEG', 'turbojpeg'),
}


class LoaderError(ValueError):
    """A loader of a pipeline cannot be built or needs a package that is missing."""


class Look(NamedTuple):
    """The (H, W) of an image, and a description of the file where it is a TIFF."""

    size: tuple[int, int]
    note: str = ''


class Reader:
    """Reads images and masks with the loading steps of a pipeline.

    The image is read by the first step whose name begins with `Load` and does not
    contain `Annotation`, or by the first step of all if there is none; the mask by the
    first step whose name contains `Annotation`. Without such steps MMSegmentation's
    LoadImageFromFile and LoadAnnotations read them.

    Args:
        pipeline: Transforms or their configs.
        backend_args: Where MMEngine's file functions find the files if they are not on
            disk; loaders in the pipeline have their own.

    Raises:
        LoaderError: A loader cannot be built or needs a package that is missing.

    >>> reader = Reader([{'type': 'LoadImageFromFile', 'color_type': 'unchanged'}])
    >>> reader.load_image.color_type
    'unchanged'
    """

    def __init__(
        self, pipeline: Sequence[Step] = (), backend_args: dict | None = None
    ) -> None:
        image, mask = loading_steps(pipeline)
        self.load_image = built(image) or LoadImageFromFile(backend_args=backend_args)
        self.load_mask = built(mask) or LoadAnnotations(backend_args=backend_args)
        # Of these it is known what they do, so that less than all has to be done.
        self._plain_image = type(self.load_image) is LoadImageFromFile
        self._plain_mask = type(self.load_mask) in (
            LoadAnnotations,
            LoadOptionalAnnotations,
        )

    @classmethod
    def of(cls, dataset: BaseDataset) -> Reader:
        """The reader of a dataset that is no wrapper of others."""
        pipeline = getattr(dataset, 'pipeline', None)
        steps = getattr(pipeline, 'transforms', ())
        return cls(steps, getattr(dataset, 'backend_args', None))

    def image(self, entry: Entry) -> np.ndarray:
        """The image of an entry of `get_data_info`, as the loader gives it.

        Returns:
            (H, W) or (H, W, channels) of any type; mmcv's decoders give BGR.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The loader cannot read it.
        """
        path = entry['img_path']
        try:
            results = self.load_image(_fresh(entry))
            if results is None or results.get('img') is None:
                raise ValueError('it returns no image')
        except Exception as error:
            file_bytes('image', path, getattr(self.load_image, 'backend_args', None))
            kind = f' ({describe_tiff(path)})' if is_tiff(path) else ''
            raise ValueError(
                f'image {path} is not a readable image for the pipeline: '
                f'{_name(self.load_image)} fails on it{kind}: '
                f'{type(error).__name__}: {error}'
            ) from error
        return results['img']

    def rgb(self, entry: Entry) -> np.ndarray:
        """The image of an entry as (H, W, 3) uint8 RGB, to be looked at."""
        loader = self.load_image
        files_order = getattr(loader, 'imdecode_backend', 'tifffile') == 'tifffile'
        return rgb_image(self.image(entry), bgr=not files_order)

    def look(
        self,
        entry: Entry,
        *,
        decode: bool = False,
        like: tuple[int, int] | None = None,
    ) -> Look:
        """The size of an image as the loader gives it.

        Args:
            entry: As `get_data_info` gives it.
            decode: Read the pixels too, so that a damaged file is found.
            like: The size that is expected: where the header of the file says the same
                nothing has to be decoded.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The loader cannot read it.
        """
        path = entry['img_path']
        if self._plain_image:
            header = read_header(path, self.load_image.backend_args, whole=decode)
            if header and header.upright:
                known = header.format in JPEG or not decode
                if known and header.size == (like or header.size):
                    return Look(header.size)
        pixels = self.image(entry)
        note = _tiff_note(path, pixels, self.load_image) if is_tiff(path) else ''
        return Look(pixels.shape[:2], note)

    def mask(self, entry: Entry) -> Mask:
        """The mask of an entry: the ids of the file.

        A loader of the user's own gives its labels instead, which are not renamed again
        by `class_of_ids`.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The loader cannot read it, as in `read_mask`.
        """
        path, loader = entry['seg_map_path'], self.load_mask
        if self._plain_mask:
            return read_mask(path, loader.backend_args, decoder=loader.imdecode_backend)
        try:
            label = loader(_fresh(entry))['gt_seg_map']
        except Exception as error:
            file_bytes('mask', path, getattr(loader, 'backend_args', None))
            raise ValueError(
                f'mask {path} is not a readable image for the pipeline: '
                f'{_name(loader)} fails on it: {type(error).__name__}: {error}'
            ) from error
        return Mask(whole_numbers(path, np.asarray(label)), None)

    def class_of_ids(self, entry: Entry) -> np.ndarray:
        """(256,) what the loader makes of each id that `mask` gives."""
        return class_of_ids(self.names(entry))

    def names(self, entry: Entry) -> Entry:
        """The `reduce_zero_label` and `label_map` that apply to what `mask` gives."""
        return entry if self._plain_mask else {}

    def label(self, entry: Entry) -> np.ndarray:
        """(H, W) classes and ignored pixels, as the training run sees them."""
        ids = self.mask(entry).ids.astype(np.uint8)
        return self.class_of_ids(entry)[ids]

    def contradiction(self, entry: Entry) -> str:
        """Say that loader and dataset differ in `reduce_zero_label`; '' if not."""
        ours = getattr(self.load_mask, 'reduce_zero_label', None)
        theirs = entry.get('reduce_zero_label')
        if ours is None or theirs is None or ours == theirs:
            return ''
        return (
            f'LoadAnnotations has `reduce_zero_label={ours}` and the dataset '
            f'`reduce_zero_label={theirs}`: set it in the dataset alone'
        )


def loading_steps(pipeline: Sequence[Step]) -> tuple[Step | None, Step | None]:
    """The steps of a pipeline that load the image and the mask.

    >>> loading_steps([{'type': 'LoadImageFromFile'}, {'type': 'Resize'}])
    ({'type': 'LoadImageFromFile'}, None)
    """
    masks = [step for step in pipeline if 'Annotation' in _name(step)]
    others = [step for step in pipeline if 'Annotation' not in _name(step)]
    images = [step for step in others if _name(step).startswith('Load')]
    return next(iter(images or others), None), next(iter(masks), None)


def class_of_ids(entry: Entry) -> np.ndarray:
    """What `LoadAnnotations` makes of each id that a mask file may hold.

    Args:
        entry: An entry of a `BaseSegDataset`, with its `reduce_zero_label` and
            `label_map`.

    Returns:
        (256,) integers: the class, or the ignored id.

    >>> class_of_ids({'reduce_zero_label': True})[[0, 1, 2, 254, 255]].tolist()
    [255, 0, 1, 253, 255]
    """
    classes = np.arange(256)
    if entry.get('reduce_zero_label'):
        classes = np.where(np.isin(classes, (0, 255)), 255, classes - 1)
    renamed = classes.copy()
    for old, new in (entry.get('label_map') or {}).items():
        renamed[classes == old] = new
    return renamed


def built(step: Step | None) -> Any:
    """The transform of a loading step; None stays None.

    Raises:
        LoaderError: It cannot be built or needs a package that is missing.
    """
    if isinstance(step, Mapping):
        try:
            step = TRANSFORMS.build(dict(step))
        except Exception as error:  # whatever a loader raises without its package
            raise LoaderError(
                f'the loader {_name(step)} of the pipeline cannot be built: {error}'
            ) from error
    needed = PACKAGES.get(getattr(step, 'imdecode_backend', None))
    if needed and importlib.util.find_spec(needed[1]) is None:
        raise LoaderError(
            f'the loader {_name(step)} of the pipeline has '
            f'`imdecode_backend={step.imdecode_backend!r}`, which needs a package: '
            f'`pip install {needed[0]}`'
        )
    return step


def _name(step: Any) -> str:
    kind = step['type'] if isinstance(step, Mapping) else type(step)
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__


def _fresh(entry: Entry) -> dict:
    """Loaders add to the entry, and to its list of fields."""
    return {**entry, 'seg_fields': []}


def _tiff_note(path: str, pixels: np.ndarray, loader: Any) -> str:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    return (
        f'{describe_tiff(path)}; {_name(loader)} gives {channels} '
        f'channel{"s" * (channels > 1)} of {pixels.dtype}'
    )
