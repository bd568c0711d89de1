"""What a metric reads of a data sample, and what it refuses."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from .tta import MERGED


class Picture(NamedTuple):
    """One evaluated image, as a batch of one; the tensors stay where they are."""

    name: str
    prediction: Tensor  # int64 (1,H,W)
    label: Tensor  # (1,H,W)


def read_picture(sample: dict[str, Any]) -> Picture:
    """The image of a data sample, which MMEngine hands over as a dict.

    Raises:
        ValueError: the label is missing or has another size than the prediction.
    """
    name = str(sample.get('img_path', ''))
    prediction = _map(sample, 'pred_sem_seg', name)
    label = _map(sample, 'gt_sem_seg', name).to(prediction.device)
    if label.shape != prediction.shape:
        raise ValueError(
            f'`gt_sem_seg` of {name!r} is {_size(label)}, but the prediction '
            f'is {_size(prediction)}: in the pipeline LoadAnnotations must come after '
            'Resize, so that the label keeps its own size'
        )
    return Picture(name, prediction, label)


def read_logits(sample: dict[str, Any], data_batch: Any) -> Tensor:
    """The scores (1,C,H,W) of a data sample: logits, but a probability for C = 1.

    Raises:
        ValueError: there are none, or they are those of one augmentation alone.
    """
    name = sample.get('img_path', '')
    if _is_augmented(data_batch) and not sample.get(MERGED, False):
        raise ValueError(
            f'`seg_logits` of {name!r} are those of the last augmentation, not of the '
            'merged prediction: with test-time augmentation set '
            "`tta_model = dict(type='MergedSegTTAModel')`"
        )
    if 'seg_logits' not in sample:
        raise ValueError(f'`seg_logits` are missing in the data sample of {name!r}')
    return sample['seg_logits']['data'].unsqueeze(0)


def _map(sample: dict[str, Any], field: str, name: str) -> Tensor:
    if field not in sample:
        raise ValueError(f'`{field}` is missing in the data sample of {name!r}')
    values = sample[field]['data']
    return values.reshape(1, *values.shape[-2:])


def _size(values: Tensor) -> str:
    return 'x'.join(map(str, values.shape[-2:]))


def _is_augmented(data_batch: Any) -> bool:
    """Whether a batch holds several augmentations of each image, as a list each."""
    if not isinstance(data_batch, dict):
        return False
    samples = data_batch.get('data_samples') or ()
    return len(samples) > 0 and isinstance(samples[0], Sequence)
