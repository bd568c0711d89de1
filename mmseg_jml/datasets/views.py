"""Weak and strong views of an unlabelled image, which share their geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import Compose
from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs
from mmseg.registry import TRANSFORMS

PADDING, UNLABELLED = 255, 254  # ids in the label map of an unlabelled image
META_KEYS = (
    'img_path',
    'ori_shape',
    'img_shape',
    'pad_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'reduce_zero_label',
    'has_label',
)
STRONG = ({'type': 'StrongAugmentation'},)


@TRANSFORMS.register_module()
class LoadOptionalAnnotations(LoadAnnotations):
    """Load the label map of an image that may have none.

    Without a `seg_map_path` the map is 0 everywhere. Where the label is ignored, 255,
    the map is 254, which is no class either: 255 is left to padding, so that the pixels
    which are trained on are the same with and without labels. `has_label` in the
    results says which it was.
    """

    def transform(self, results: dict) -> dict:
        """Add `gt_seg_map`, (H, W) uint8, and `has_label`."""
        results['has_label'] = results.get('seg_map_path') is not None
        if results['has_label']:
            results = super().transform(results)
            label = results['gt_seg_map']
            results['gt_seg_map'] = np.where(label == PADDING, UNLABELLED, label)
        else:
            results['gt_seg_map'] = np.zeros(results['img'].shape[:2], np.uint8)
            results['seg_fields'].append('gt_seg_map')
        return results


class PackViews:
    """Pack the views of an image that is already scaled, cropped and flipped.

    Args:
        strong: Transforms, or their configs, of a strong view; photometric ones alone.
        strong_views: How many strong views, 0 to 2; each draws anew.

    Raises:
        ValueError: Another number of `strong_views`.
    """

    def __init__(self, strong: Sequence[Any], strong_views: int = 1) -> None:
        if strong_views not in (0, 1, 2):
            raise ValueError(f'`strong_views` must be 0, 1 or 2, got {strong_views!r}')
        self.strong = Compose(list(strong))
        self.names = ('strong', 'strong_2')[:strong_views]
        self.pack = PackSegInputs(meta_keys=META_KEYS)

    def __call__(self, results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Inputs (bands, H, W) and data samples by the views' names.

        The data sample of `weak` alone carries the label map; that of the others would
        be the same, and costs more to hand over than their images.

        Raises:
            ValueError: The label map was not loaded, or a transform of `strong` failed,
                moved it, or changed the type or the number of bands of the image.
        """
        if 'has_label' not in results:
            raise ValueError(
                'the pipeline of `unlabelled` must load masks with '
                'LoadOptionalAnnotations and must not pack'
            )
        views = {'weak': dict(results)}
        for name in self.names:
            views[name] = self._strong_view(results)
        packed = {name: self.pack(view) for name, view in views.items()}
        return {
            key: {name: view[key] for name, view in packed.items()}
            for key in ('inputs', 'data_samples')
        }

    def _strong_view(self, results: Mapping[str, Any]) -> dict:
        label, weak = results['gt_seg_map'], results['img']
        try:
            view = self.strong({**results, 'img': weak.copy()})
        except cv2.error as error:
            raise ValueError(
                'a transform of `strong` cannot change an image of '
                f'{_described(weak)}: choose one that can, such as StrongAugmentation'
            ) from error
        if view['gt_seg_map'] is not label or view['img'].shape[:2] != label.shape:
            raise ValueError(
                '`strong` must hold only photometric transforms: scale, crop and flip '
                'belong to the pipeline of `unlabelled`, which all views share'
            )
        if _described(view['img']) != _described(weak):
            raise ValueError(
                f'`strong` must leave the type and the bands of an image as they are: '
                f'it made {_described(view["img"])} of {_described(weak)}. Transforms '
                'such as PhotoMetricDistortion are for 8-bit colour images; '
                'StrongAugmentation is for any image'
            )
        del view['gt_seg_map']
        return view


def _described(img: np.ndarray) -> str:
    bands = img.shape[2] if img.ndim == 3 else 1
    return f'{bands} band{"s" * (bands != 1)} of {img.dtype}'
