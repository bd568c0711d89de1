"""tools/predict.py: pictures without labels."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_jml.__main__ import main
from mmseg_jml.cli import predict as predict_module
from mmseg_jml.cli.plot_calibration import run_plot
from mmseg_jml.cli.predict import run_prediction
from tests.processes import ROOT, run_python
from tests.tools.models import BINARY, write_checkpoint, write_config, write_pictures

SLIDE = {'model.test_cfg': {'mode': 'slide', 'crop_size': (32, 32), 'stride': (20, 20)}}


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A folder with `config.py`, `a.pth` and pictures in `pictures`."""
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / 'a.pth', write_config(tmp_path / 'config.py'))
    write_pictures(tmp_path / 'pictures', ('a.png', 'below/b.jpg'))
    return tmp_path


def predict(*flags, config='config.py', folder='pictures', out='out'):
    return run_prediction([config, 'a.pth', folder, '--out', out, *flags])


def load(path):
    with np.load(path) as file:
        return dict(file)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def logits_of(model, picture):
    """Logits as mmseg's own inference gives them."""
    from mmseg.apis import inference_model

    return inference_model(model, str(picture)).seg_logits.data


@pytest.mark.parametrize('changes', [{}, SLIDE], ids=['whole', 'slide'])
def test_the_arrays_are_those_of_mmsegs_own_inference(case, changes):
    from mmseg.apis import init_model

    config = write_config(case / 'config.py', changes)
    assert predict('--format', 'npz') == 0
    model = init_model(str(config), 'a.pth', device='cpu')
    model.cfg.test_pipeline = [dict(step) for step in model.cfg.pipeline]
    for name in ('a.png', 'below/b.jpg'):
        probs = logits_of(model, case / 'pictures' / name).softmax(0).numpy()
        found = load((case / 'out' / name).with_suffix('.npz'))
        np.testing.assert_array_equal(found['prediction'], probs.argmax(0))
        np.testing.assert_allclose(found['confidence'], probs.max(0), rtol=1e-5)
        entropy = -(probs * np.log(probs)).sum(0)
        np.testing.assert_allclose(found['entropy'], entropy, rtol=1e-4, atol=1e-6)
        assert found['prediction'].shape == pixels(f'pictures/{name}').shape[:2]


def test_the_arrays_name_the_classes(case):
    predict('--format', 'npz')
    found = load('out/a.npz')
    assert found['classes'].tolist() == ['background', 'line', 'star', 'disk']
    assert found['palette'].shape == (4, 3)
    assert found['num_classes'] == 4


def test_the_arrays_can_be_compared_with_another_runs(case):
    predict('--format', 'npz')
    assert run_plot(['maps', 'pictures/a.png', 'A=out/a.npz', 'B=out/a.npz']) == 0
    assert pixels('maps.png').std() > 10


def test_the_pngs_hold_the_arrays(case):
    assert predict() == 0
    assert predict('--format', 'npz', out='arrays') == 0
    arrays = load('arrays/below/b.npz')
    with Image.open('out/prediction/below/b.png') as image:
        assert np.array_equal(np.asarray(image), arrays['prediction'])
        colours = np.asarray(image.convert('RGB'))
    assert np.array_equal(colours, arrays['palette'][arrays['prediction']])
    grey = pixels('out/confidence/below/b.png') / 65535
    np.testing.assert_allclose(grey, arrays['confidence'], atol=1e-5)
    grey = pixels('out/entropy/below/b.png') / 65535
    np.testing.assert_allclose(grey, arrays['entropy'] / np.log(4), atol=1e-5)


def test_a_binary_head_is_predicted_by_its_threshold(case):
    write_checkpoint(case / 'a.pth', write_config(case / 'config.py', BINARY))
    predict('--format', 'npz')
    found = load('out/a.npz')
    foreground = np.where(
        found['prediction'] == 1, found['confidence'], 1 - found['confidence']
    )
    assert np.array_equal(found['prediction'] == 1, foreground > 0.4)
    assert 0 < found['prediction'].mean() < 1
    assert found['num_classes'] == 2
    assert found['entropy'].max() <= np.log(2) + 1e-6


def test_finished_pictures_are_skipped(case, capsys):
    predict()
    (case / 'out/entropy/a.png').unlink()  # as if it had been killed there
    kept = (case / 'out/entropy/below/b.png').stat().st_mtime_ns
    capsys.readouterr()
    assert predict() == 0
    assert '1 predicted, 1 already there' in capsys.readouterr().out
    assert (case / 'out/entropy/below/b.png').stat().st_mtime_ns == kept


def test_nothing_to_do_builds_no_model(case, monkeypatch):
    predict()
    monkeypatch.setattr(predict_module, '_predict_all', None)
    assert predict() == 0


@pytest.mark.parametrize(
    ('change', 'what'),
    [
        (lambda case: write_config(case / 'config.py', SLIDE), 'config'),
        (
            lambda case: write_checkpoint(case / 'a.pth', case / 'config.py', gain=2.0),
            'checkpoint',
        ),
    ],
)
def test_predictions_of_two_models_are_not_mixed(case, change, what):
    predict()
    change(case)
    with pytest.raises(SystemExit, match=f'out holds predictions of another {what}:'):
        predict()


def test_predictions_of_two_formats_are_not_mixed(case):
    predict()
    with pytest.raises(SystemExit, match='predictions of another format'):
        predict('--format', 'npz')


def test_an_unreadable_picture_is_named_and_the_rest_goes_on(case, capsys):
    (case / 'pictures/aa.png').write_bytes(b'no picture')
    (case / 'pictures/empty.jpg').touch()
    assert predict() == 1
    captured = capsys.readouterr()
    for name in ('aa.png', 'empty.jpg'):
        assert f'pictures/{name} is not readable: ' in captured.err
    assert '2 predicted, 0 already there, 2 not readable' in captured.out
    assert len(list((case / 'out/entropy').rglob('*.png'))) == 2


def test_pictures_of_an_output_inside_the_folder_are_not_predicted(case):
    predict(out='pictures/out')
    assert predict(out='pictures/out') == 0
    assert len(list((case / 'pictures/out').rglob('*.png'))) == 6


def test_an_error_of_the_model_is_not_called_unreadable(case, monkeypatch):
    def fail(*args):
        raise RuntimeError('out of memory')

    monkeypatch.setattr('mmseg.models.EncoderDecoder.inference', fail)
    with pytest.raises(RuntimeError, match='out of memory'):
        predict()


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        ({'folder': 'nowhere'}, '`FOLDER` must be a folder of pictures, got nowhere'),
        ({'folder': 'empty'}, 'no picture in empty: looked for .jpg'),
        ({'folder': 'twins'}, 'c.jpg and c.png would be one file'),
        ({'out': 'pictures'}, '`--out` must be another folder'),
        ({'config': 'nothing.py'}, "no config 'nothing.py'"),
    ],
)
def test_bad_input_is_answered_with_a_sentence(case, flags, words):
    (case / 'empty').mkdir()
    write_pictures(case / 'twins', ('c.jpg', 'c.png'))
    with pytest.raises(SystemExit, match=words) as end:
        predict(**flags)
    assert str(end.value).startswith('error: ')


def test_a_missing_checkpoint_is_answered_with_a_sentence(case):
    with pytest.raises(SystemExit, match=r"`checkpoint`: no file 'no.pth'"):
        run_prediction(['config.py', 'no.pth', 'pictures'])


def test_the_command_and_the_script_are_the_same(case):
    assert main(['predict', 'config.py', 'a.pth', 'pictures', '--out', 'out']) == 0
    done = run_python(
        ROOT / 'tools/predict.py', 'config.py', 'a.pth', 'pictures', '--out', 'other',
        cwd=case,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ('prediction/a.png', 'entropy/below/b.png'):
        one, other = (pixels(case / out / name) for out in ('out', 'other'))
        assert np.array_equal(one, other)
    assert json.loads((case / 'out/made_by.json').read_text()) == json.loads(
        (case / 'other/made_by.json').read_text()
    )


def test_the_pipeline_reads_no_labels_and_is_otherwise_the_configs_own():
    from mmengine.config import Config

    steps = [{'type': t} for t in ('LoadImageFromFile', 'LoadAnnotations', 'Resize')]
    dataset = {'type': 'ConcatDataset', 'dataset': {'pipeline': steps}}
    cfg = Config({'test_dataloader': {'dataset': dataset}})
    kept = predict_module.unlabelled_pipeline(cfg)
    assert [step['type'] for step in kept] == ['LoadImageFromFile', 'Resize']
    with pytest.raises(ValueError, match='no `test_dataloader'):
        predict_module.unlabelled_pipeline(Config({}))


def test_many_classes_get_sixteen_bits():
    class Model:
        def test_step(self, batch):
            from mmengine.structures import PixelData
            from mmseg.structures import SegDataSample

            sample = SegDataSample()
            logits = torch.zeros(300, 2, 3)
            logits[299] = 1.0
            sample.seg_logits = PixelData(data=logits)
            sample.pred_sem_seg = PixelData(data=logits.argmax(0, keepdim=True))
            return [sample]

    assert predict_module.predict(Model(), {}).prediction.max() == 299
