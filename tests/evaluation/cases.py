"""Data samples as MMEngine's evaluators hand them to a metric."""

import numpy as np
import torch

CLASSES = ('road', 'car', 'traffic light', 'never')


def sample(logits, label, name='0.png', threshold=0.3):
    """The sample of logits (C,H,W), or a foreground's probability, and label (H,W)."""
    if len(logits) == 1:
        prediction = (logits > threshold).to(logits)
    else:
        prediction = logits.argmax(0, keepdim=True)
    return {
        'img_path': f'folder/{name}',
        'seg_logits': {'data': logits},
        'pred_sem_seg': {'data': prediction},
        'gt_sem_seg': {'data': label[None]},
    }


def samples(number=6, seed=0, num_classes=4):
    """Pictures of different sizes; no label has the last class, the second is void."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(number):
        size = (6 + i % 3, 9 - i % 2)
        blobs = rng.integers(0, num_classes - 1, (2, 3)).repeat(5, 0).repeat(4, 1)
        label = torch.from_numpy(blobs)[: size[0], : size[1]].clone()
        label[torch.from_numpy(rng.random(size) < 0.1)] = 255
        if i == 1:
            label[:] = 255
        logits = torch.from_numpy(rng.normal(0, 2, (num_classes, *size))).float()
        found.append(sample(logits, label, f'{i}.png'))
    return found


def evaluate(metric, batches, size=None, classes=CLASSES):
    """What a metric makes of batches of samples."""
    metric.dataset_meta = {'classes': classes}
    for batch in batches:
        metric.process({}, batch)
    return metric.evaluate(size=size or sum(map(len, batches)))
