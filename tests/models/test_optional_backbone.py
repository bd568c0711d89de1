"""Backbones of libraries that need not be installed."""

import copy
import sys
import types

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.models.backbones import timm_backbone
from mmseg.registry import MODELS
from torch import nn

from mmseg_jml.models import optional_backbone
from tests.configs.tree import CONFIGS, load
from tests.losses.heads import JML_BLS, samples

FILES = {
    'timm': 'deeplabv3_timm-r18d-d8',
    'mmpretrain': 'upernet_mmpretrain-convnext-t',
}


def model_config(library):
    """The model of the tree that needs a library, for five classes."""
    init_default_scope('mmseg')
    path = CONFIGS / '_base_' / 'models' / f'{FILES[library]}.py'
    model = copy.deepcopy(load(path).model)
    model.decode_head.update(num_classes=5, loss_decode=JML_BLS)
    model.auxiliary_head.update(num_classes=5, loss_decode=JML_BLS)
    return model


@pytest.mark.parametrize('library', FILES)
def test_a_missing_library_is_named_with_the_way_to_get_it(library, monkeypatch):
    module = {'timm': 'timm', 'mmpretrain': 'mmpretrain.models'}[library]
    monkeypatch.setitem(sys.modules, module, None)  # the import system refuses
    with pytest.raises(ImportError) as error:
        MODELS.build(model_config(library))
    message = str(error.value)
    assert f'needs {library}, which cannot be imported' in message
    assert f'{library} torchvision`' in message


def test_a_library_that_lacks_one_of_its_own_shows_which(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError) as error:
        optional_backbone(library='timm', backbone={'type': 'TIMMBackbone'})
    assert str(error.value.__cause__) in str(error.value)


class Maps(nn.Module):
    """As timm's resnet18d with `features_only` and an output stride of 8 answers."""

    def __init__(self):
        super().__init__()
        self.strides, widths = (2, 4, 8, 8, 8), (64, 64, 128, 256, 512)
        self.steps = nn.ModuleList(nn.Conv2d(3, width, 1) for width in widths)

    def forward(self, pictures):
        return [
            step(pictures[..., ::stride, ::stride])
            for step, stride in zip(self.steps, self.strides, strict=True)
        ]


@pytest.fixture
def fake_timm(monkeypatch):
    """A module in timm's place, and what it is asked for."""
    asked = {}

    def create_model(**options):
        asked.update(options)
        return Maps()

    fake = types.SimpleNamespace(create_model=create_model)
    monkeypatch.setitem(sys.modules, 'timm', fake)
    monkeypatch.setattr(timm_backbone, 'timm', fake)
    return asked


def test_the_model_over_timm_asks_for_the_papers_encoder_and_trains(fake_timm):
    model = MODELS.build(model_config('timm'))
    assert fake_timm['model_name'] == 'resnet18d'
    assert (fake_timm['output_stride'], fake_timm['features_only']) == (8, True)
    assert isinstance(model.backbone, timm_backbone.TIMMBackbone)
    label = torch.randint(0, 5, (2, 33, 49))
    losses = model.loss(torch.rand(2, 3, 33, 49), samples(label))
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    assert model.backbone.timm_model.steps[4].weight.grad.abs().sum() > 0
    assert model.backbone.timm_model.steps[3].weight.grad.abs().sum() > 0


def test_offline_one_option_asks_for_no_weights(fake_timm):
    config = model_config('timm')
    config.backbone.backbone.pretrained = False
    MODELS.build(config)
    assert fake_timm['pretrained'] is False
