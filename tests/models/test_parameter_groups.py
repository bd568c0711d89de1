"""Which parameters decay, and how fast each learns."""

import pytest
from torch import nn

from mmseg_jml.models import NoFlatDecayConstructor

SGD = {'optimizer': {'type': 'SGD', 'lr': 0.01, 'weight_decay': 5e-4}}


def model():
    def block():
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))

    parts = ('backbone', 'decode_head', 'auxiliary_head')
    return nn.ModuleDict({part: block() for part in parts})


def settings(optimizer, module):
    """The learning rate and the decay of every parameter, by its name."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return {
        names[id(parameter)]: (group['lr'], group['weight_decay'])
        for group in optimizer.param_groups
        for parameter in group['params']
    }


@pytest.mark.parametrize(
    'options',
    [None, {'custom_keys': {'head': {'lr_mult': 10.0}}}],
    ids=['no options', 'head'],
)
def test_no_vector_decays_and_every_matrix_does(options):
    module = model()
    optimizer = NoFlatDecayConstructor(SGD, options)(module).optimizer
    decays = {name: decay for name, (_, decay) in settings(optimizer, module).items()}
    assert decays == {
        name: 0.0 if parameter.ndim == 1 else 5e-4
        for name, parameter in module.named_parameters()
    }


def test_both_heads_learn_ten_times_as_fast():
    module = model()
    options = {'custom_keys': {'head': {'lr_mult': 10.0}}}
    optimizer = NoFlatDecayConstructor(SGD, options)(module).optimizer
    rates = {name: rate for name, (rate, _) in settings(optimizer, module).items()}
    assert rates == {name: 0.1 if 'head' in name else 0.01 for name in rates}


def test_without_decay_there_is_none_to_take_away():
    module = model()
    plain = {'optimizer': {'type': 'SGD', 'lr': 0.01}}
    optimizer = NoFlatDecayConstructor(plain)(module).optimizer
    assert set(settings(optimizer, module).values()) == {(0.01, 0)}
