"""A loss says which sums it is made of, and has these alone."""

import pytest
import torch

from mmseg_jml.losses import CompoundLoss, SoftCrossEntropyLoss, SoftLabelLoss


class MeanAbsoluteError(SoftLabelLoss):
    """The loss of docs/write-a-loss.md, with other `needs`."""

    def __init__(self, *needs):
        self.asked = frozenset(needs)
        super().__init__(
            class_weight=None,
            use_sigmoid=False,
            temperature=1.0,
            label_smoothing=None,
            sync=False,
            ignore_index=255,
            loss_weight=1.0,
            loss_name='loss_mae',
        )

    def needs(self):
        return self.asked

    def partials(self, sums):
        error = sums.probs + sums.target - 2 * sums.minimum
        return [error.sum(), sums.pixels.sum()]

    def finish(self, partials):
        error, pixels = partials
        return error / pixels


def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 8, 8, generator=generator)
    return logits, torch.randint(0, 4, (2, 8, 8), generator=generator)


def test_a_misspelt_sum_is_refused_when_the_loss_is_built():
    with pytest.raises(ValueError, match="'minimun'; did you mean 'minimum'"):
        MeanAbsoluteError('probs', 'target', 'minimun')


def test_a_forgotten_sum_is_found_out_at_the_first_call():
    with pytest.raises(AttributeError, match='`minimum` was not asked for'):
        MeanAbsoluteError('probs', 'target')(*batch())


def test_a_forgotten_sum_is_not_borrowed_from_another_loss():
    full, short = (
        MeanAbsoluteError('probs', 'target', 'minimum'),
        MeanAbsoluteError('probs', 'target'),
    )
    with pytest.raises(AttributeError, match='`minimum` was not asked for'):
        CompoundLoss(losses=[full, short])(*batch())


def test_the_error_is_that_of_the_probabilities():
    logits, label = batch()
    loss = MeanAbsoluteError('probs', 'target', 'minimum')
    both = CompoundLoss(losses=[SoftCrossEntropyLoss(), loss])
    own = logits.softmax(1).gather(1, label[:, None])
    expected = 2 * (1 - own).mean()
    torch.testing.assert_close(loss(logits, label), expected)
    torch.testing.assert_close([part(logits, label) for part in both][1], expected)
