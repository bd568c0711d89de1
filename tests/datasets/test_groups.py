import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_jml.datasets.groups import deal, groups_of, guess_rule


@given(
    groups=st.lists(st.sampled_from('abcdefgh'), min_size=1, max_size=40),
    shares=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
@settings(max_examples=100, deadline=None)
def test_parts_hold_every_image_once_and_every_group_whole(groups, shares, seed):
    if len(set(groups)) < len(shares):
        with pytest.raises(ValueError, match='parts need at least as many groups'):
            deal(groups, shares, seed=seed)
        return
    parts = deal(groups, shares, seed=seed)
    assert sorted(i for part in parts for i in part) == list(range(len(groups)))
    held = [{groups[i] for i in part} for part in parts]
    assert all(held)
    assert sum(map(len, held)) == len(set(groups))
    assert deal(groups, shares, seed=seed) == parts


def test_parts_of_images_without_groups_are_as_large_as_their_shares():
    names = [str(i) for i in range(100)]
    parts = deal(names, [0.7, 0.15, 0.15])
    assert [len(part) for part in parts] == [70, 15, 15]
    assert deal(names, [0.7, 0.15, 0.15], seed=1) != parts


@pytest.mark.parametrize(
    ('names', 'rule'),
    [
        (['a/1', 'a/2', 'b/1', 'b/2', 'c/1', 'c/2'], 'folder'),
        (['a/1', 'a/2', 'a/3', 'b/1', 'b/2', 'b/3'], None),  # two of them: no third set
        (['p1-a', 'p1-b', 'p2-a', 'p2-b', 'p3-a', 'p3-b'], '[^_-]+'),
        (['img_1', 'img_2', 'img_3', 'img_4'], None),
        (['1_sat', '2_sat', '3_sat'], None),  # each its own
        (['-1', '-2', '-3'], None),
    ],
)
def test_a_rule_is_guessed_where_names_or_folders_give_enough_groups(names, rule):
    assert guess_rule(names) == rule


def test_a_name_without_parentheses_in_the_rule_is_grouped_by_all_that_matches():
    assert groups_of(['p1_a', 'p2_b'], 'p[0-9]_(a|b)') == ['a', 'b']
    assert groups_of(['p1_a', 'p2_b'], 'p[0-9]') == ['p1', 'p2']
