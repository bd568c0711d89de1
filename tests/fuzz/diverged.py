"""A network that has diverged: no loss of NaN or inf is finite, no score is given."""

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from mmseg_jml.functional import binary_scores, softmax_scores
from tests.fuzz import draws
from tests.fuzz.draws import Options, Rng, pick
from tests.fuzz.losses import draw_batch, draw_loss, draw_smoothing

TEACHERS = ('KLDistillationLoss', 'CWDLoss', 'DISTLoss')


def diverged(rng: Rng, note: Options) -> None:
    """One of the logits is NaN, or inf under softmax; its pixel may not count."""
    batch = draw_batch(rng, note)
    config = draw_loss(rng, batch)
    config['label_smoothing'] = draw_smoothing(rng, batch, config)
    spoil(rng, batch.logits, note, finite=config['use_sigmoid'])
    note['loss'] = config
    value = MODELS.build(config)(batch.logits, *batch[1:4])
    assert not value.isfinite(), value


def diverged_teacher(rng: Rng, note: Options) -> None:
    """As above, of the student's or of the teacher's logits."""
    size = draws.shape(rng)
    size = (size[0], max(size[1], 2), *size[2:])
    student, teacher = (draws.logits(rng, size, note) for _ in range(2))
    weight = draws.weight(rng, size, note)
    kind = pick(rng, TEACHERS)
    note['loss'] = kind
    spoil(rng, pick(rng, (student, teacher)), note)
    value = MODELS.build({'type': kind})(student, teacher, weight)
    assert not value.isfinite(), value


def diverged_scores(rng: Rng, note: Options) -> None:
    """The scores, and so `CalibrationMetric`, refuse what they cannot judge."""
    size = draws.shape(rng, maps=True)
    logits = draws.logits(rng, size, note)
    label = draws.label(rng, size, 255, note)
    score = softmax_scores if size[1] > 1 else binary_scores
    spoil(rng, logits, note)
    with pytest.raises(ValueError, match='must be finite'):
        score(logits, label)


def spoil(
    rng: Rng, logits: torch.Tensor, note: Options, *, finite: bool = False
) -> None:
    """Put one NaN (or inf) somewhere."""
    value = np.nan if finite else pick(rng, (np.nan, np.inf))
    place = tuple(int(rng.integers(length)) for length in logits.shape)
    logits[place] = value
    note |= {'spoiled': value, 'place': place}
