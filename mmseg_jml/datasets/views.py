"""Weak and strong views of an unlabelled picture, which share their geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform, Compose
from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs
from mmseg.registry import TRANSFORMS

PADDING, UNKNOWN = 255, 254  # ids in the label map of an unlabelled picture
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
    """Load the label map of a picture that may have none.

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
            results['gt_seg_map'] = np.where(label == PADDING, UNKNOWN, label)
        else:
            results['gt_seg_map'] = np.zeros(results['img'].shape[:2], np.uint8)
            results['seg_fields'].append('gt_seg_map')
        return results


@TRANSFORMS.register_module()
class StrongAugmentation(BaseTransform):
    """Colour jitter, grey and blur, each at its probability: nothing moves.

    Defaults are those of UniMatch (Yang et al., CVPR 2023) and of the works that it
    follows. CutMix, which belongs to them, mixes a whole batch: the segmentor does it.

    Args:
        jitter: Brightness, contrast and saturation are multiplied by 1 ± this, in
            [0, 1]; in random order.
        hue: The hue moves by ± this, in circles: [0, 0.5].
        jitter_prob, grey_prob, blur_prob: How often, in [0, 1].
        blur_sigma: Smallest and largest standard deviation of the Gaussian, in pixels,
            both > 0.

    Raises:
        ValueError: A number lies outside its range.

    >>> augment = StrongAugmentation(jitter_prob=0, grey_prob=1, blur_prob=0)
    >>> picture = augment({'img': np.uint8([[[0, 0, 255]]])})['img']
    >>> bool((picture == picture[..., :1]).all())
    True
    """

    def __init__(
        self,
        *,
        jitter: float = 0.5,
        hue: float = 0.25,
        jitter_prob: float = 0.8,
        grey_prob: float = 0.2,
        blur_prob: float = 0.5,
        blur_sigma: tuple[float, float] = (0.1, 2.0),
    ) -> None:
        limits = {
            'jitter': (jitter, 1),
            'hue': (hue, 0.5),
            'jitter_prob': (jitter_prob, 1),
            'grey_prob': (grey_prob, 1),
            'blur_prob': (blur_prob, 1),
        }
        for name, (value, most) in limits.items():
            if not 0 <= value <= most:
                raise ValueError(f'`{name}` must be in [0, {most}], got {value!r}')
        if not 0 < blur_sigma[0] <= blur_sigma[1]:
            raise ValueError(
                f'`blur_sigma` must be (smallest, largest) > 0, got {blur_sigma!r}'
            )
        self.jitter, self.hue = jitter, hue
        self.jitter_prob, self.grey_prob = jitter_prob, grey_prob
        self.blur_prob, self.blur_sigma = blur_prob, blur_sigma

    def transform(self, results: dict) -> dict:
        """Change `img`, (H, W, 3) uint8 in BGR."""
        img = results['img']
        if np.random.rand() < self.jitter_prob:
            img = self._jittered(img)
        if np.random.rand() < self.grey_prob:
            img = mmcv.gray2bgr(mmcv.bgr2gray(img))
        if np.random.rand() < self.blur_prob:
            img = cv2.GaussianBlur(img, (0, 0), np.random.uniform(*self.blur_sigma))
        results['img'] = img
        return results

    def _jittered(self, img: np.ndarray) -> np.ndarray:
        factors = np.random.uniform(1 - self.jitter, 1 + self.jitter, 3)
        steps = [
            partial(mmcv.adjust_brightness, factor=factors[0], backend='cv2'),
            partial(mmcv.adjust_contrast, factor=factors[1], backend='cv2'),
            partial(mmcv.adjust_color, alpha=factors[2], backend='cv2'),
            partial(_turn_hue, turns=np.random.uniform(-self.hue, self.hue)),
        ]
        for index in np.random.permutation(len(steps)):
            img = steps[index](img)
        return img


def _turn_hue(img: np.ndarray, turns: float) -> np.ndarray:
    """The picture with its hue moved by a share of the circle.

    As `mmcv.adjust_hue`, which in mmcv 2.1 fails with NumPy 2 where the share is
    negative.
    """
    hsv = cv2.cvtColor(img, cv2.COLOR_BGR2HSV_FULL)
    hsv[..., 0] += np.uint8(int(turns * 255) % 256)  # wraps around, as a circle does
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)


class PackViews:
    """Pack the views of a picture that is already scaled, cropped and flipped.

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
        """Inputs, (3, H, W) uint8, and data samples, by the views' names.

        The data sample of `weak` alone carries the label map; that of the others would
        be the same, and costs more to hand over than their pictures.

        Raises:
            ValueError: The label map was not loaded, or a strong view moved it.
        """
        if 'has_label' not in results:
            raise ValueError(
                'the pipeline of `unlabelled` must load by LoadOptionalAnnotations '
                'and must not pack'
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
        label = results['gt_seg_map']
        view = self.strong({**results, 'img': results['img'].copy()})
        if view['gt_seg_map'] is not label or view['img'].shape[:2] != label.shape:
            raise ValueError(
                '`strong` must hold photometric transforms alone: scale, crop and flip '
                'belong to the pipeline of `unlabelled`, which all views share'
            )
        del view['gt_seg_map']
        return view
