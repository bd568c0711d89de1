"""tools/predict.py: pictures without labels."""

import hashlib
import json
import sys

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

OUTS = ('out', 'fresh')
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


def test_finished_images_are_skipped(case, capsys):
    predict()
    (case / 'out/entropy/a.png').unlink()  # as if it had been killed there
    kept = (case / 'out/entropy/below/b.png').stat().st_mtime_ns
    capsys.readouterr()
    assert predict() == 0
    assert '1 predicted, 1 done before' in capsys.readouterr().out
    assert (case / 'out/entropy/below/b.png').stat().st_mtime_ns == kept


def test_an_image_that_was_replaced_is_predicted_again(case, capsys):
    predict('--format', 'npz')
    old = load('out/a.npz')['confidence']
    image = 255 - pixels('pictures/a.png')
    Image.fromarray(image).save('pictures/a.png')
    capsys.readouterr()
    predict('--format', 'npz')
    assert '1 predicted, 1 done before' in capsys.readouterr().out
    assert not np.array_equal(load('out/a.npz')['confidence'], old)
    predict('--format', 'npz', out='fresh')
    np.testing.assert_array_equal(*(load(f'{o}/a.npz')['entropy'] for o in OUTS))


def test_an_image_renamed_to_another_format_is_predicted_again(case, capsys):
    predict()
    (case / 'pictures/a.png').rename(case / 'pictures/a.bmp')
    capsys.readouterr()
    predict()
    assert '1 predicted, 1 done before' in capsys.readouterr().out


def test_a_run_that_predicted_nothing_has_not_claimed_the_folder(case):
    (case / 'bad').mkdir()
    (case / 'bad/a.png').write_bytes(b'no picture')
    assert predict(folder='bad') == 1
    assert predict('--format', 'npz') == 0


def test_the_index_leads_from_each_map_to_its_image(case):
    write_pictures(case / 'pictures', ('below/a.png',))
    predict()
    outputs = json.loads((case / 'out/index.json').read_text())['outputs']
    assert set(outputs) == {'a', 'below/a', 'below/b'}
    for row in outputs.values():
        content = (case / 'pictures' / row['image']).read_bytes()
        assert row['bytes'] == len(content)
        assert row['sha256'] == hashlib.sha256(content).hexdigest()


def test_maps_of_an_interrupted_run_do_not_count(case, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    predict()
    write_pictures(case / 'pictures', ('new.png',))
    Image.fromarray(255 - pixels('pictures/a.png')).save('pictures/a.png')
    monkeypatch.setattr('mmseg_jml.cli.prediction.job.predict', interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict()
    outputs = json.loads((case / 'out/index.json').read_text())['outputs']
    assert set(outputs) == {'below/b'}


def test_nothing_to_do_builds_no_model(case, monkeypatch):
    predict()
    monkeypatch.setattr(predict_module, 'prepare', None)
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
    with pytest.raises(SystemExit, match=f'made with another {what}:'):
        predict()


@pytest.mark.parametrize(
    ('flags', 'what'),
    [(('--format', 'npz'), 'format'), (('--tile', '32'), 'tiling')],
)
def test_predictions_of_two_kinds_are_not_mixed(case, flags, what):
    predict()
    with pytest.raises(SystemExit, match=f'made with another {what}'):
        predict(*flags)


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (('--tile', '0'), '`--tile` must be at least 1'),
        (('--overlap', '4'), '`--overlap` needs `--tile`'),
        (('--tile', '8', '--overlap', '8'), 'from 0 to less than `--tile` 8, got 8'),
    ],
)
def test_tiles_that_do_not_advance_are_refused(case, flags, words):
    with pytest.raises(SystemExit, match=words):
        predict(*flags)


def test_an_unreadable_image_is_named_and_the_others_are_predicted(case, capsys):
    (case / 'pictures/aa.png').write_bytes(b'no picture')
    (case / 'pictures/empty.jpg').touch()
    (case / 'pictures/gone.jpg').symlink_to('nowhere.jpg')
    (case / 'pictures/scan.dcm').touch()
    assert predict() == 1
    captured = capsys.readouterr()
    for name in ('aa.png', 'empty.jpg', 'gone.jpg', 'scan.dcm'):
        assert f'pictures/{name} was not predicted: it ' in captured.err
    assert '2 predicted, 0 done before, 4 not predicted' in captured.out
    assert len(list((case / 'out/entropy').rglob('*.png'))) == 2


def test_images_in_linked_folders_are_predicted(case, capsys):
    write_pictures(case / 'elsewhere', ('c.png',))
    (case / 'pictures/linked').symlink_to(case / 'elsewhere')
    assert predict() == 0
    assert (case / 'out/prediction/linked/c.png').is_file()


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (torch.cuda.OutOfMemoryError('CUDA out of memory'), '`--tile 1024`'),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), '`--tile 1024`'),
        (RuntimeError('3 channels, got 4'), 'RuntimeError: 3 channels, got 4'),
    ],
)
def test_an_image_that_the_model_fails_on_is_named(
    case, monkeypatch, capsys, error, words
):
    from mmseg.models import EncoderDecoder

    inference = EncoderDecoder.inference

    def fail(self, inputs, metas):
        if metas[0]['img_path'].endswith('a.png'):
            raise error
        return inference(self, inputs, metas)

    monkeypatch.setattr(EncoderDecoder, 'inference', fail)
    assert predict() == 1
    captured = capsys.readouterr()
    assert 'pictures/a.png was not predicted: ' in captured.err
    assert words in captured.err
    assert '1 predicted, 0 done before, 1 not predicted' in captured.out
    assert not (case / 'out/prediction/a.png').exists()


def test_weights_that_are_no_numbers_are_refused(case):
    write_checkpoint(case / 'a.pth', case / 'config.py', gain=float('nan'))
    with pytest.raises(
        SystemExit, match=r"'a.pth' cannot predict: .* decode_head.conv_seg"
    ):
        predict()
    assert not (case / 'out').exists()


def test_an_output_folder_that_cannot_be_written_is_refused_first(case, monkeypatch):
    (case / 'file').touch()
    monkeypatch.setattr(predict_module, 'prepare', None)
    with pytest.raises(SystemExit, match='`--out`: cannot write to file/out'):
        predict(out='file/out')


def test_a_file_and_a_list_are_predicted_as_a_folder_is(case):
    (case / 'list.txt').write_text('pictures/below/b.jpg\n')
    predict()
    assert predict(folder='pictures/a.png', out='one') == 0
    assert predict(folder='list.txt', out='two') == 0
    for one, other in (
        ('out/entropy/a.png', 'one/entropy/a.png'),
        ('out/entropy/below/b.png', 'two/entropy/pictures/below/b.png'),
    ):
        assert np.array_equal(pixels(one), pixels(other))


def test_an_overlay_is_added_to_what_is_there(case, capsys):
    predict()
    capsys.readouterr()
    assert predict('--overlay') == 0
    assert '2 predicted, 0 done before' in capsys.readouterr().out
    drawn, ids = pixels('out/overlay/a.png'), pixels('out/prediction/a.png')
    assert drawn.shape[0] > ids.shape[0]
    with Image.open('out/prediction/a.png') as image:
        colours = np.asarray(image.convert('RGB')).astype(float)
    mixed = (pixels('pictures/a.png') + colours) / 2
    np.testing.assert_allclose(drawn[: ids.shape[0], : ids.shape[1]], mixed, atol=1)


def test_geotiffs_keep_the_place_of_the_image(case):
    import rasterio
    from rasterio.transform import from_origin

    place = {'crs': 'EPSG:32633', 'transform': from_origin(5e5, 58e5, 0.5, 0.5)}
    bands = pixels('pictures/a.png').transpose(2, 0, 1)
    shape = dict(zip(('count', 'height', 'width'), bands.shape, strict=True))
    with rasterio.open('a.tif', 'w', 'GTiff', dtype='uint8', **shape, **place) as file:
        file.write(bands)
    predict('--format', 'npz')
    assert predict('--format', 'tif', folder='a.tif', out='geo') == 0
    for what, values in load('out/a.npz').items():
        if what in ('prediction', 'confidence', 'entropy'):
            with rasterio.open(f'geo/{what}/a.tif') as file:
                assert file.crs.to_epsg() == 32633
                assert file.transform == place['transform']
                np.testing.assert_allclose(file.read(1), values, atol=1e-6)


def test_without_rasterio_geotiffs_are_refused_with_what_to_install(case, monkeypatch):
    monkeypatch.setitem(sys.modules, 'rasterio', None)
    with pytest.raises(SystemExit, match='`pip install rasterio`'):
        predict('--format', 'tif')


@pytest.mark.parametrize(
    'changes', [{}, SLIDE, BINARY], ids=['whole', 'slide', 'binary']
)
def test_one_tile_that_holds_the_image_gives_the_whole_prediction(case, changes):
    write_checkpoint(case / 'a.pth', write_config(case / 'config.py', changes))
    predict('--format', 'npz')
    predict('--format', 'npz', '--tile', '64', out='tiled')
    for key in ('prediction', 'confidence', 'entropy'):
        np.testing.assert_allclose(
            load('out/a.npz')[key], load('tiled/a.npz')[key], atol=1e-6
        )


def test_tiles_cover_an_image_that_is_larger(case):
    predict('--format', 'npz')
    assert predict('--format', 'npz', '--tile', '32', '--overlap', '16', out='t') == 0
    whole, tiled = load('out/a.npz'), load('t/a.npz')
    assert tiled['prediction'].shape == whole['prediction'].shape
    # They differ near the borders of the tiles, where the network sees less.
    assert (tiled['prediction'] == whole['prediction']).mean() > 0.8


def test_pictures_of_an_output_inside_the_folder_are_not_predicted(case):
    predict(out='pictures/out')
    assert predict(out='pictures/out') == 0
    assert len(list((case / 'pictures/out').rglob('*.png'))) == 6


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        ({'folder': 'nowhere'}, '`IMAGES` must be .* but nowhere does not exist'),
        ({'folder': 'empty'}, 'There is no image in empty. .* end in .jpg'),
        ({'folder': 'twins'}, 'c.jpg and c.png would both be written to'),
        ({'out': 'pictures'}, '`--out` must not be the folder of the images'),
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
    with pytest.raises(SystemExit, match=r"`checkpoint`: there is no file 'no.pth'"):
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
    one, other = ((case / out / 'index.json').read_text() for out in ('out', 'other'))
    assert one == other


@pytest.mark.parametrize(
    'wrap', [lambda d: {'dataset': d}, lambda d: {'datasets': [d]}]
)
def test_the_pipeline_reads_no_labels_and_is_otherwise_the_configs_own(wrap):
    from mmengine.config import Config

    steps = [{'type': t} for t in ('LoadImageFromFile', 'LoadAnnotations', 'Resize')]
    dataset = {'type': 'Wrapper', **wrap({'pipeline': steps})}
    cfg = Config({'test_dataloader': {'dataset': dataset}})
    kept = predict_module.unlabelled_pipeline(cfg)
    assert [step['type'] for step in kept] == ['LoadImageFromFile', 'Resize']
    with pytest.raises(ValueError, match='no `test_dataloader'):
        predict_module.unlabelled_pipeline(Config({}))
