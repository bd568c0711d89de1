"""`--cfg-options`: MMEngine's syntax, and spaces that stay."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import DictAction

from mmseg_jml.config_options import ConfigOptions, read_value

WORDS = st.sampled_from(
    ['a', '1', '-2', '0.5', '1e-3', 'nan', 'True', 'false', 'None', '/a/b', '"q"', '']
)


def in_brackets(parts):
    lists = st.lists(parts, max_size=3).map(','.join)
    return st.tuples(st.sampled_from(['[]', '()']), lists).map(
        lambda pair: f'{pair[0][0]}{pair[1]}{pair[0][1]}'
    )


VALUES = st.recursive(WORDS, in_brackets, max_leaves=8)


@pytest.fixture
def parse(capsys):
    """The options that words give, or the sentence that refuses them."""
    parser = argparse.ArgumentParser(prog='train')
    parser.add_argument('config')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions)

    def run(*words):
        try:
            return parser.parse_args(words).cfg_options
        except SystemExit:
            return capsys.readouterr().err.split('error: ')[1]

    return run


@given(VALUES)
def test_values_without_spaces_are_read_as_mmengine_reads_them(text):
    assert repr(read_value(text)) == repr(DictAction._parse_iterable(text))


@given(st.lists(WORDS, min_size=2, max_size=4).map(','.join))
def test_commas_make_a_list_as_in_mmengine(text):
    assert repr(read_value(text)) == repr(DictAction._parse_iterable(text))


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('data/my city', 'data/my city'),
        ('1 2', '1 2'),
        ('car, traffic light', ['car', 'traffic light']),
        ("['traffic light', (0.5, 'my car')]", ['traffic light', (0.5, 'my car')]),
        ('" a "', ' a '),
        ('[1, 2, ]', [1, 2]),
        ('[ ]', []),
    ],
)
def test_spaces_inside_a_word_are_kept_and_those_around_it_are_not(text, value):
    assert read_value(text) == value


# MMEngine recurses without end on these.
def test_lists_beside_one_another_are_a_list():
    assert read_value('[1,2],(3,)') == [[1, 2], (3,)]


@pytest.mark.parametrize('text', ['(1,2', '[1,2)', '1],[2', '[1,(2],3)'])
def test_brackets_that_do_not_match_are_refused(text):
    with pytest.raises(ValueError, match=r'the brackets of .* do not match'):
        read_value(text)


def test_options_collect_and_the_last_value_of_a_key_counts(parse):
    words = ('--cfg-options', 'a.b=1', 'c=x=y', '--cfg-options', 'a.b=my data')
    assert parse('config.py', *words) == {'a.b': 'my data', 'c': 'x=y'}


@pytest.mark.parametrize(
    ('words', 'wrong'),
    [
        (['config.py', '--cfg-options', 'a', '1'], "'a'"),
        (['--cfg-options', 'a=1', 'config.py'], "'config.py'"),
        (['config.py', '--cfg-options', '=1'], "'=1'"),
    ],
)
def test_a_word_that_is_no_pair_is_named_and_the_form_is_said(parse, words, wrong):
    said = parse(*words)
    assert f'--cfg-options takes arguments of the form KEY=VALUE, got {wrong}.' in said
    assert 'put the config and other arguments before --cfg-options' in said


def test_an_unreadable_value_is_named_with_its_key(parse):
    said = parse('config.py', '--cfg-options', 'a.b=(1,2')
    assert said == "--cfg-options a.b: the brackets of '(1,2' do not match\n"
