"""The configs away from the checkout: copied, inherited, overridden."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config, DictAction
from mmseg.registry import MODELS

from mmseg_jml.shipped import copy_configs, find_config, leaves
from tests.configs.tree import CONFIGS, load

LEAF = 'jml/voc12aug/deeplabv3_r18-d8_1xb8-jml-bls-40k_voc12aug-512x512.py'


@pytest.fixture(scope='module')
def copied(tmp_path_factory):
    """A folder of a user's with a copy of the tree in `my_configs`."""
    folder = tmp_path_factory.mktemp('user')
    copy_configs(folder / 'my_configs')
    return folder


@pytest.fixture
def user(copied, monkeypatch):
    monkeypatch.chdir(copied)
    return copied


@pytest.mark.parametrize('leaf', leaves())
def test_a_copied_leaf_is_the_shipped_one(user, leaf):
    assert (
        Config.fromfile(Path('my_configs') / leaf).to_dict()
        == load(CONFIGS / leaf).to_dict()
    )


def test_a_shipped_leaf_is_found_from_another_folder(user):
    assert (
        Config.fromfile(find_config(LEAF)).to_dict() == load(CONFIGS / LEAF).to_dict()
    )


def test_a_config_of_the_users_inherits_and_changes_what_it_names(user):
    Path('mine.py').write_text(
        f"_base_ = 'my_configs/{LEAF}'\n"
        "train_dataloader = dict(batch_size=4, dataset=dict(data_root='my_data'))\n"
        'model = dict(\n'
        '    decode_head=dict(num_classes=7), auxiliary_head=dict(num_classes=7)\n'
        ')\n'
    )
    mine = Config.fromfile('mine.py').to_dict()
    shipped = load(CONFIGS / LEAF).to_dict()
    assert mine['train_dataloader'].pop('batch_size') == 4
    assert mine['train_dataloader']['dataset'].pop('data_root') == 'my_data'
    del shipped['train_dataloader']['batch_size']
    del shipped['train_dataloader']['dataset']['data_root']
    for head in ('decode_head', 'auxiliary_head'):
        assert mine['model'][head].pop('num_classes') == 7
        del shipped['model'][head]['num_classes']
    assert mine == shipped


def test_a_config_of_the_users_combines_the_parts(user):
    Path('own.py').write_text(
        '_base_ = [\n'
        "    'my_configs/_base_/models/unet_m-v2.py',\n"
        "    'my_configs/_base_/recipes/voc12aug.py',\n"
        "    'my_configs/_base_/losses/jml-bls.py',\n"
        ']\n'
        'model = dict(\n'
        '    data_preprocessor=dict(size={{_base_.crop_size}}),\n'
        '    decode_head=dict(num_classes=21, loss_decode={{_base_.loss_main}}),\n'
        '    auxiliary_head=dict(num_classes=21, loss_decode={{_base_.loss_aux}}),\n'
        ')\n'
    )
    cfg = Config.fromfile('own.py')
    cfg.model.pretrained = None
    logits = MODELS.build(cfg.model).encode_decode(
        torch.rand(1, 3, 33, 49), [{'img_shape': (33, 49)}]
    )
    assert logits.shape == (1, 21, 33, 49)


@pytest.fixture
def overridden():
    """The leaf after words that follow `--cfg-options`."""

    def apply(*words):
        cfg = Config.fromfile(CONFIGS / LEAF)
        pairs = (word.split('=', 1) for word in words)
        values = {key: DictAction._parse_int_float_bool(value) for key, value in pairs}
        cfg.merge_from_dict(values)
        return cfg.model

    return apply


def test_one_option_trains_without_published_weights(overridden):
    assert load(CONFIGS / LEAF).model.pretrained == 'open-mmlab://resnet18_v1c'
    assert overridden('model.pretrained=None').pretrained is None


def test_a_sweep_is_an_override(overridden):
    place = 'loss_decode.label_smoothing.epsilon=0.1'
    model = overridden(
        f'model.decode_head.{place}',
        f'model.auxiliary_head.{place}',
        'model.decode_head.loss_decode.losses.1.active_classes=all',
        'model.decode_head.loss_decode.losses.1.threshold=0.05',
    )
    model.pretrained = None
    built = MODELS.build(model)
    ce, jml = built.decode_head.loss_decode.children()
    smoothings = (ce, jml, built.auxiliary_head.loss_decode)
    assert [each.label_smoothing.epsilon for each in smoothings] == [0.1, 0.1, 0.1]
    assert (jml.formula.active_classes, jml.formula.threshold) == ('all', 0.05)
