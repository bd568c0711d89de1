"""tools/export.py: either model of a semi-supervised checkpoint as a plain one."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from mmseg.apis import MMSegInferencer, init_model

from mmseg_jml.__main__ import main
from mmseg_jml.cli.export import run_export
from tests.segmentors.distilled import build, plain_config, total
from tests.segmentors.semi_supervised import branches, semi_config
from tests.tools.models import TINY, write_config

EMA = {'type': 'ExponentialMovingAverage', 'momentum': 0.3}
META = {'dataset_meta': {'classes': list('abcd'), 'palette': [[0, 0, 0]] * 4}}
PLAIN = str(TINY)


@pytest.fixture(scope='module')
def trained():
    """A model whose average lags behind."""
    model = build(semi_config(ema=EMA)).train()
    optim = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    for seed in range(3):
        optim.zero_grad()
        total(model.loss(*branches(seed=seed))).backward()
        optim.step()
    return model.eval()


@pytest.fixture(scope='module')
def folder(trained, tmp_path_factory):
    """The config and the checkpoint of a training."""
    folder = tmp_path_factory.mktemp('trained')
    cfg = Config.fromfile(TINY)
    cfg.model = semi_config(ema=EMA)
    cfg.dump(folder / 'semi.py')
    checkpoint = {
        'state_dict': trained.state_dict(),
        'meta': {**META, 'iter': 3, 'cfg': 'of the training'},
        'optimizer': {},
        'message_hub': {},
    }
    torch.save(checkpoint, folder / 'semi.pth')
    return folder


def export(folder, out, *flags, config='semi.py'):
    config = str(folder / config)
    run_export([config, str(folder / 'semi.pth'), str(out), *flags])
    return CheckpointLoader.load_checkpoint(str(out), map_location='cpu')


def models(trained):
    return {'student': trained, 'ema': trained.teacher.module}


@pytest.mark.parametrize('name', ['student', 'ema'])
def test_an_export_is_a_plain_checkpoint_of_the_model(trained, folder, tmp_path, name):
    state = export(folder, tmp_path / 'out.pth', '--model', name)['state_dict']
    plain = build(plain_config()).state_dict()
    assert state.keys() == plain.keys()
    weights = models(trained)[name].state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in state.items())


def test_the_average_is_the_default_and_not_the_student(folder, tmp_path):
    found = [
        export(folder, tmp_path / f'{index}.pth', *flags)['state_dict']
        for index, flags in enumerate([(), ('--model', 'ema'), ('--model', 'student')])
    ]
    weights = [each['decode_head.conv_seg.weight'] for each in found]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize('name', ['student', 'ema'])
def test_the_stock_inferencer_predicts_as_the_model(trained, folder, tmp_path, name):
    out = tmp_path / 'out.pth'
    export(folder, out, '--model', name)
    cfg = Config.fromfile(TINY)
    cfg.test_pipeline = [{'type': 'LoadImageFromFile'}, {'type': 'PackSegInputs'}]
    cfg.visualizer = {'type': 'SegLocalVisualizer', 'name': tmp_path.name}
    cfg.dump(tmp_path / 'plain.py')
    inferencer = MMSegInferencer(str(tmp_path / 'plain.py'), str(out), device='cpu')
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    found = inferencer(picture, show=False)['predictions']
    inputs = (torch.tensor(picture).movedim(-1, 0)[None].float() - 127.5) / 127.5
    trained.eval_model = name
    with torch.no_grad():
        logits = trained(inputs)
    logits = torch.nn.functional.interpolate(logits, (32, 48), mode='bilinear')
    np.testing.assert_array_equal(found, logits.argmax(1)[0])
    assert len(np.unique(found)) > 1


def test_a_plain_config_of_the_model_does_as_well(folder, tmp_path):
    out = tmp_path / 'out.pth'
    assert main(['export', PLAIN, str(folder / 'semi.pth'), str(out)]) == 0
    model = init_model(PLAIN, str(out), device='cpu')
    assert list(model.dataset_meta['classes']) == META['dataset_meta']['classes']


def test_what_belongs_to_the_training_stays_behind(folder, tmp_path):
    exported = export(folder, tmp_path / 'out.pth')
    assert set(exported) == {'meta', 'state_dict'}
    assert exported['meta'] == {**META, 'iter': 3}


def refused(words, *args):
    with pytest.raises(SystemExit, match=words):
        run_export([str(each) for each in args])


def test_a_checkpoint_without_an_average_is_told(folder, tmp_path):
    plain = tmp_path / 'plain.pth'
    torch.save({'state_dict': build(plain_config()).state_dict()}, plain)
    refused(
        'from a SemiEncoderDecoder, .* has no such keys',
        PLAIN,
        plain,
        tmp_path / 'out.pth',
    )
    assert not (tmp_path / 'out.pth').exists()


def test_a_config_of_another_model_names_the_keys(folder, tmp_path):
    other = write_config(tmp_path / 'other.py', {'model.decode_head.num_convs': 2})
    words = r'(?s)do not fit:.*5 keys the model has and the checkpoint lacks: decode'
    refused(words, other, folder / 'semi.pth', tmp_path / 'out.pth')


def test_a_missing_checkpoint_is_told(tmp_path):
    refused("there is no file 'no.pth'", PLAIN, 'no.pth', tmp_path / 'out.pth')
