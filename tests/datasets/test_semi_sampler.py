from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_jml.datasets import SemiSupervisedSampler, semi_sampler
from mmseg_jml.datasets.semi_sampler import check_loader


class Sizes(semi_sampler.SemiSupervisedDataset):
    """A data set that has nothing but lengths."""

    def __init__(self, labelled, unlabelled):
        self.labelled, self.unlabelled = range(labelled), range(unlabelled)


def sampler(sizes=(5, 12), rank=0, world_size=1, **options):
    found = SemiSupervisedSampler(Sizes(*sizes), **{'seed': 0, **options})
    found.rank, found.world_size = rank, world_size
    return found


def take(sampler, number):
    return list(islice(sampler, number))


runs = st.fixed_dictionaries(
    {
        'sizes': st.tuples(st.integers(1, 9), st.integers(1, 9)),
        'ratio': st.tuples(st.integers(1, 3), st.integers(1, 3)),
        'seed': st.integers(0, 2**31 - 1),
    }
)


@given(run=runs, rank=st.integers(0, 2), turns=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_every_batch_of_every_rank_has_the_ratio(run, rank, turns):
    size = turns * sum(run['ratio'])
    drawn = take(sampler(rank=rank, world_size=3, **run), 4 * size)
    for start in range(0, len(drawn), size):
        batch = drawn[start : start + size]
        labelled = sum(draw.index < run['sizes'][0] for draw in batch)
        assert labelled == turns * run['ratio'][0]


@given(run=runs, world_size=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_no_picture_comes_twice_before_all_ranks_together_have_seen_all(
    run, world_size
):
    length = 12 * sum(run['ratio'])
    ranks = [
        take(sampler(rank=r, world_size=world_size, **run), length)
        for r in range(world_size)
    ]
    first = run['sizes'][0]
    for labelled in (True, False):
        dealt = [[d.index for d in r if (d.index < first) == labelled] for r in ranks]
        stream = [index for turn in zip(*dealt, strict=True) for index in turn]
        size = run['sizes'][0 if labelled else 1]
        for start in range(0, len(stream) - size + 1, size):
            epoch = sorted(stream[start : start + size])
            offset = 0 if labelled else first
            assert epoch == list(range(offset, offset + size))


@given(run=runs, skipped=st.integers(0, 50), rank=st.integers(0, 1))
@settings(max_examples=25, deadline=None)
def test_a_skip_leaves_out_what_was_drawn_and_nothing_else(run, skipped, rank):
    whole = take(sampler(rank=rank, world_size=2, **run), skipped + 20)
    resumed = sampler(rank=rank, world_size=2, **run)
    resumed.skip(skipped)
    assert take(resumed, 20) == whole[skipped:]


def test_a_skip_of_a_whole_training_costs_nothing():
    resumed = sampler()
    resumed.skip(10**12)
    assert len(take(resumed, 8)) == 8


def test_a_small_subset_is_repeated_in_fresh_orders():
    drawn = [d.index for d in take(sampler((4, 40)), 80) if d.index < 4]
    epochs = [tuple(drawn[i : i + 4]) for i in range(0, len(drawn), 4)]
    assert len(set(epochs)) > 5
    assert all(sorted(epoch) == [0, 1, 2, 3] for epoch in epochs)


def test_no_two_draws_are_augmented_alike():
    ranks = [take(sampler(rank=r, world_size=2), 200) for r in (0, 1)]
    seeds = [draw.seed for rank in ranks for draw in rank]
    assert len(set(seeds)) == len(seeds)


def test_another_seed_draws_other_pictures_with_other_augmentations():
    one, other = (take(sampler(seed=seed), 40) for seed in (0, 1))
    assert [d.index for d in one] != [d.index for d in other]
    assert not {d.seed for d in one} & {d.seed for d in other}


def test_iterating_again_begins_again():
    same = sampler()
    assert take(same, 9) == take(same, 9)


def test_without_a_seed_the_ranks_agree_on_one(monkeypatch):
    monkeypatch.setattr(semi_sampler, 'sync_random_seed', lambda: 7)
    assert take(sampler(seed=None), 9) == take(sampler(seed=7), 9)


def test_the_rank_is_that_of_the_process_group(monkeypatch):
    monkeypatch.setattr(semi_sampler, 'get_dist_info', lambda: (1, 3))
    found = SemiSupervisedSampler(Sizes(5, 12), seed=0)
    assert take(found, 20) == take(sampler(rank=1, world_size=3), 20)


def test_the_length_is_that_of_both_subsets():
    assert len(sampler((5, 12))) == 17


def test_consecutive_pictures_of_an_epoch_differ():
    unlabelled = [d.index for d in take(sampler((5, 12)), 24) if d.index >= 5]
    assert all(one != other for one, other in pairwise(unlabelled))


@pytest.mark.parametrize('ratio', [(1, 0), (1,), (1, 1, 1), (0.5, 1), 2, (True, 1)])
def test_a_ratio_that_is_none_is_refused(ratio):
    with pytest.raises(ValueError, match='`ratio` must be two whole numbers'):
        sampler(ratio=ratio)


def test_another_data_set_is_refused():
    with pytest.raises(TypeError, match='must be a SemiSupervisedDataset, got list'):
        SemiSupervisedSampler([1, 2], seed=0)


def test_a_negative_skip_is_refused():
    with pytest.raises(ValueError, match='`num_samples` must be at least 0, got -1'):
        sampler().skip(-1)


LOADER = {
    'dataset': {'type': 'SemiSupervisedDataset'},
    'sampler': {'type': 'SemiSupervisedSampler', 'ratio': (1, 3)},
    'collate_fn': {'type': 'branch_collate'},
    'batch_size': 8,
}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'batch_size': 6}, '`batch_size` must be a multiple of 4 .* got 6'),
        (
            {'sampler': {'type': 'InfiniteSampler'}},
            "needs `sampler=.*'InfiniteSampler'",
        ),
        ({'collate_fn': None}, r"needs `collate_fn=dict\(type='branch_collate'\)`"),
        (
            {'sampler': {'type': 'SemiSupervisedSampler', 'ratio': (1, 0)}},
            '`ratio` must be two whole numbers',
        ),
    ],
)
def test_a_loader_without_a_fixed_ratio_is_refused(change, message):
    assert check_loader(LOADER) is None
    with pytest.raises(ValueError, match=message):
        check_loader(LOADER | change)
