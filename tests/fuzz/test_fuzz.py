"""The short run, and that a run finds what is wrong."""

from unittest import mock

from mmseg_jml.functional import jaccard
from tests.fuzz.__main__ import run


def test_random_configurations_agree_with_the_references():
    assert run(seed=1, numbers=range(150), every=1000) == 0


def test_a_wrong_loss_is_found_and_its_case_named(capsys):
    right = jaccard.overlap_loss

    def wrong(sums, **options):
        return right(sums, **options) * (1 + 1e-3)

    with mock.patch.object(jaccard, 'overlap_loss', wrong):
        assert run(seed=1, numbers=range(20), every=1000) > 0
    assert 'python -m tests.fuzz --seed 1 --only ' in capsys.readouterr().out
