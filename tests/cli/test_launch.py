"""Which errors end in a sentence, and which in a traceback."""

import pytest
from mmengine.registry import Registry

from mmseg_jml.cli.launch import errors_as_sentence

MODELS = Registry('model', scope='somewhere')


def test_a_type_that_no_registry_has_ends_in_a_sentence():
    with pytest.raises(SystemExit) as end, errors_as_sentence(()):
        MODELS.build({'type': 'Encoderdecoder'})
    assert str(end.value).startswith('error: Encoderdecoder is not in the ')


def test_any_other_missing_key_keeps_its_traceback():
    with pytest.raises(KeyError), errors_as_sentence():
        raise KeyError('model')


def test_an_error_of_the_users_ends_in_a_sentence():
    with (
        pytest.raises(SystemExit, match=r'^error: `a` must be 1$'),
        errors_as_sentence(),
    ):
        raise ValueError('`a` must be 1')
