"""tools/calibrate.py: post-hoc calibration."""

import csv
import json
import shutil

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner
from mmseg.apis import init_model

from mmseg_jml.__main__ import main
from mmseg_jml.cli.calibrate import calibrated_config, overlap_remark, run_calibration
from mmseg_jml.cli.launch import run_test
from mmseg_jml.cli.loading import load_model
from mmseg_jml.cli.scaling_fit import fit, prepare
from mmseg_jml.files import sha256_of
from mmseg_jml.functional import fit_temperature
from tests.tools.models import BINARY, TINY, write_checkpoint, write_config

METRICS = [{'type': 'CalibrationMetric', 'num_bins': 15}]
# Pictures of their own for val, so that the tests of test figures are of held-out ones.
SPLITS = {
    'val_dataloader.dataset.seed': 3,
    'val_dataloader.dataset.length': 6,
    'val_evaluator': METRICS,
    'test_evaluator': METRICS,
}
SLIDE = {'model.test_cfg': {'mode': 'slide', 'crop_size': (32, 32), 'stride': (20, 20)}}


def calibrate(folder, *flags):
    return run_calibration([str(folder / 'config.py'), str(folder / 'a.pth'), *flags])


def rows(path):
    with path.open(newline='') as file:
        return {(row['scaling'], row['key']): row for row in csv.DictReader(file)}


def trained(folder, changes):
    """A folder with the config and weights of a model that is far too confident."""
    config = write_config(folder / 'config.py', {**SPLITS, **changes})
    write_checkpoint(folder / 'a.pth', config, gain=3, steps=40)
    return folder


@pytest.fixture(scope='module')
def softmax(tmp_path_factory):
    return trained(tmp_path_factory.mktemp('softmax'), {})


@pytest.fixture(scope='module')
def binary(tmp_path_factory):
    return trained(tmp_path_factory.mktemp('binary'), BINARY)


@pytest.fixture(scope='module')
def slide(softmax, tmp_path_factory):
    folder = tmp_path_factory.mktemp('slide')
    write_config(folder / 'config.py', {**SPLITS, **SLIDE})
    shutil.copy(softmax / 'a.pth', folder)
    return folder


@pytest.fixture(scope='module', params=['softmax', 'binary', 'slide'])
def fitted(request):
    """A calibrated model's folder: what the tool wrote is in `out`."""
    folder = request.getfixturevalue(request.param)
    assert calibrate(folder, '--out', str(folder / 'out')) == 0
    return folder


def scores_of_test(config, checkpoint, work_dir, *flags):
    """What tools/test.py logs."""
    # A process has one runner and one visualizer of each name.
    name = str(work_dir).replace('/', '-')
    names = ('visualizer.type=Visualizer', f'visualizer.name={name}')
    options = ('--cfg-options', *names, f'experiment_name={name}', *flags)
    run_test([str(config), str(checkpoint), '--work-dir', str(work_dir), *options])
    (log,) = work_dir.rglob('2*.json')
    return json.loads(log.read_text().splitlines()[-1])


@pytest.mark.parametrize('name', ['temperature', 'vector'])
def test_the_reported_figures_are_those_of_testing_the_written_config(
    fitted, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    # On the same pictures: those the scaling was fitted on.
    same = ('test_dataloader.dataset.seed=3', 'test_dataloader.dataset.length=6')
    config = fitted / 'out' / f'config_{name}.py'
    scores = scores_of_test(config, fitted / 'a.pth', tmp_path / 'run', *same)
    report = rows(fitted / 'out' / 'report.csv')
    for key in ('calib/ECE_bins15', 'calib/BECE_bins15', 'calib/NLL'):
        assert float(report[name, key]['value']) == pytest.approx(scores[key], rel=1e-9)


def test_the_figures_before_are_those_of_testing_the_config(fitted, tmp_path):
    same = ('test_dataloader.dataset.seed=3', 'test_dataloader.dataset.length=6')
    scores = scores_of_test(
        fitted / 'config.py', fitted / 'a.pth', tmp_path / 'run', *same
    )
    report = rows(fitted / 'out' / 'report.csv')
    value = float(report['before', 'calib/ECE_bins15']['value'])
    assert value == pytest.approx(scores['calib/ECE_bins15'], rel=1e-9)


def test_overconfidence_is_repaired(fitted):
    report = rows(fitted / 'out' / 'report.csv')
    for key in ('calib/ECE_bins15', 'calib/BECE_bins15', 'calib/NLL'):
        row = report['temperature', key]
        before = float(report['before', key]['value'])
        assert float(row['value']) == pytest.approx(before + float(row['change']))
        assert float(row['change_high']) < 0
        assert float(row['low']) <= float(row['high'])


def test_a_vector_has_no_higher_nll_than_the_temperature(fitted):
    report = rows(fitted / 'out' / 'report.csv')
    nll = {name: float(report[name, 'calib/NLL']['value']) for name, _ in report}
    assert nll['vector'] <= nll['temperature'] <= nll['before']


def test_a_temperature_changes_no_prediction_but_at_another_threshold(fitted):
    report = rows(fitted / 'out' / 'report.csv')
    changed = int(report['temperature', 'changed_pixels']['value'])
    text = (fitted / 'out' / 'report.md').read_text()
    if 'binary' in fitted.name:
        assert changed > 0  # the threshold is 0.4
        assert 'cannot change a prediction at a threshold of 0.5' in text
    else:
        assert changed == 0
        assert 'A temperature cannot change the predicted class' in text


def test_changed_predictions_are_counted(fitted):
    configs = (fitted / 'config.py', fitted / 'out' / 'config_vector.py')
    found = [predictions(config, fitted / 'a.pth') for config in configs]
    changed = 0
    for one, other in zip(*found, strict=True):
        differ = one.pred_sem_seg.data != other.pred_sem_seg.data
        changed += int((differ & (one.gt_sem_seg.data != 255)).sum())
    report = rows(fitted / 'out' / 'report.csv')
    assert int(report['vector', 'changed_pixels']['value']) == changed


@torch.no_grad()
def predictions(config, checkpoint):
    """What the model makes of each val picture."""
    cfg = Config.fromfile(config)
    model = init_model(cfg, str(checkpoint), device='cpu')
    batches = Runner.build_dataloader(cfg.val_dataloader)
    return [output for batch in batches for output in model.test_step(batch)]


def test_the_temperature_is_that_of_all_pixels_where_all_are_drawn(fitted):
    cfg = Config.fromfile(fitted / 'config.py')
    model = init_model(cfg, str(fitted / 'a.pth'), device='cpu')
    logits, labels = [], []
    for batch in Runner.build_dataloader(cfg.val_dataloader):
        data = model.data_preprocessor(batch, False)
        samples = data['data_samples']
        with torch.no_grad():
            scores = model.inference(data['inputs'], [s.metainfo for s in samples])
        label = torch.cat([sample.gt_sem_seg.data for sample in samples])
        logits.append(scores.movedim(1, -1)[label != 255])
        labels.append(label[label != 255])
    expected = fit_temperature(torch.cat(logits), torch.cat(labels))
    written = Config.fromfile(fitted / 'out' / 'config_temperature.py')
    assert written.model.scaling.temperature == pytest.approx(expected, rel=1e-6)


@pytest.fixture
def case(softmax, tmp_path, monkeypatch):
    """A copy of the trained folder, to work in."""
    monkeypatch.chdir(tmp_path)
    for name in ('config.py', 'a.pth'):
        shutil.copy(softmax / name, tmp_path)
    return tmp_path


def test_pixels_are_drawn_alike_for_a_seed_and_not_more_than_allowed(case):
    task = prepare(Config.fromfile(case / 'config.py'), 'a.pth', 'val')
    one, same, other = (fit(task, max_pixels=600, seed=seed) for seed in (0, 0, 1))
    assert one.pixels.sum() == 600  # 100 of each of 6 pictures
    assert one.labelled > 600
    assert one.temperature == same.temperature != other.temperature
    assert other.temperature == pytest.approx(one.temperature, rel=0.5)


def test_options_of_the_command_line_are_kept_in_the_written_config(case):
    config = case / 'config.py'
    options = {
        'model.test_cfg.mode': 'slide',
        'model.test_cfg.crop_size': (32, 32),
        'val_dataloader.dataset.pipeline.2.type': 'Mine',
    }
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options)
    folder = case / 'far' / 'away'
    folder.mkdir(parents=True)
    applied = {'scaling': {'temperature': 2.0}, 'fitted_to': 'a'}
    text = calibrated_config(config, cfg, options, applied, folder)
    (folder / 'new.py').write_text(text)
    written = Config.fromfile(folder / 'new.py').to_dict()
    expected = cfg.to_dict()
    expected['model'].update(type='CalibratedEncoderDecoder', **applied)
    assert written == expected


def test_the_package_is_imported_beside_the_configs_own_imports(case):
    cfg = Config.fromfile(case / 'config.py')
    for given, expected in (
        (None, ['mmseg_jml']),
        ({'imports': 'json'}, ['json', 'mmseg_jml']),
        ({'imports': ['json', 'mmseg_jml']}, ['json', 'mmseg_jml']),
    ):
        cfg.custom_imports = given
        text = calibrated_config(case / 'c.py', cfg, {}, {'fitted_to': 'a'}, case)
        imports = Config.fromstring(text.split('\n', 1)[1], '.py').custom_imports
        assert imports['imports'] == expected


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (['--split', 'test'], 'would then no longer be held out. Use `--split val`'),
        (['--cfg-options', 'model.type=CascadeEncoderDecoder'], 'got .*Cascade'),
        (
            ['--cfg-options', 'model.type=CalibratedEncoderDecoder'],
            'already calibrated: use the config that it is based on',
        ),
        (['--max-pixels', '5'], 'at least 6, the number of images, got 5'),
        (['--cfg-options', 'val_dataloader=None'], 'no `val_dataloader`'),
    ],
)
def test_what_would_be_wrong_is_refused_with_a_sentence(case, flags, words):
    with pytest.raises(SystemExit, match=words) as end:
        calibrate(case, *flags)
    assert str(end.value).startswith('error: ')


def test_the_test_split_can_be_forced_and_the_report_says_so(case):
    assert calibrate(case, '--split', 'test', '--force', '--out', 'out') == 0
    text = (case / 'out' / 'report.md').read_text()
    assert 'the scaling is fitted on the test split' in text


def test_nothing_is_written_when_there_is_no_temperature(case):
    write_checkpoint(case / 'a.pth', case / 'config.py', gain=0.0)
    weights = CheckpointLoader.load_checkpoint(str(case / 'a.pth'), 'cpu')
    weights['state_dict']['decode_head.conv_seg.bias'].zero_()
    torch.save(weights, case / 'a.pth')
    with pytest.raises(SystemExit, match='the logits tell nothing'):
        calibrate(case, '--out', 'out')
    assert not (case / 'out').exists()


def test_another_checkpoints_calibration_is_neither_overwritten_nor_mixed(case):
    (case / 'other').mkdir()
    write_checkpoint(case / 'other' / 'a.pth', case / 'config.py', gain=2, steps=40)
    for folder in ('.', 'other'):
        assert run_calibration(['config.py', f'{folder}/a.pth']) == 0
    folder = case / 'work_dirs' / 'config' / 'calibrated'
    reports = [folder / f'{case.name}-a-val', folder / 'other-a-val']
    assert set(folder.iterdir()) == set(reports)
    first, second = (json.loads((r / 'made_by.json').read_text()) for r in reports)
    assert first['checkpoint'] == sha256_of(case / 'a.pth')
    assert second['checkpoint'] == sha256_of(case / 'other' / 'a.pth')
    assert first['config'] == second['config']
    assert first['checkpoint'][:16] in (reports[0] / 'report.md').read_text()
    with pytest.raises(SystemExit, match='holds a report with another checkpoint'):
        run_calibration(['config.py', 'other/a.pth', '--out', str(reports[0])])
    with pytest.raises(SystemExit, match='holds a report with another seed'):
        calibrate(case, '--seed', '1', '--out', str(reports[0]))


def test_a_calibration_can_be_made_again(case):
    for _ in range(2):
        assert calibrate(case, '--out', 'out') == 0


def test_a_temperature_is_refused_with_other_weights_unless_it_is_wanted(case):
    assert calibrate(case, '--out', 'out') == 0
    write_checkpoint(case / 'b.pth', case / 'config.py', gain=2, steps=40)
    cfg = Config.fromfile('out/config_temperature.py')
    load_model(cfg, 'a.pth')
    with pytest.raises(ValueError, match='was fitted to other weights'):
        load_model(cfg, 'b.pth')
    with pytest.raises(ValueError, match='was fitted to other weights'):
        init_model(cfg, 'b.pth', device='cpu')  # MMSegmentation's own way
    cfg.model.fitted_to = None
    load_model(cfg, 'b.pth')


def test_a_checkpoint_without_its_optimizer_is_still_the_same_weights(case):
    assert calibrate(case, '--out', 'out') == 0
    state = CheckpointLoader.load_checkpoint('a.pth', 'cpu')['state_dict']
    torch.save({f'module.{key}': value for key, value in state.items()}, 'b.pth')
    load_model(Config.fromfile('out/config_temperature.py'), 'b.pth')


def test_a_test_in_the_folder_of_a_training_leaves_its_config(case):
    (case / 'run').mkdir()
    (case / 'run' / 'config.py').write_text('of_the_training = True')
    scores_of_test('config.py', 'a.pth', case / 'run')
    assert (case / 'run' / 'config.py').read_text() == 'of_the_training = True'
    (written,) = (case / 'run').glob('2*/config.py')
    tested = Config.fromfile(written)
    assert tested.load_from == 'a.pth'
    assert tested.checkpoint_sha256 == sha256_of('a.pth')


def test_val_pictures_that_are_test_pictures_are_counted(case):
    cfg = Config.fromfile(TINY)
    assert overlap_remark(cfg, 'val').startswith('warning: 4 of the 4 val images are')
    cfg = Config.fromfile(case / 'config.py')
    assert overlap_remark(cfg, 'val') == (
        'None of the 6 val images is also a test image.'
    )
    cfg.test_dataloader.dataset = {'type': 'BaseSegDataset', 'data_root': 'nowhere'}
    assert overlap_remark(cfg, 'val').startswith(
        'warning: could not check whether val and test share images: '
    )


def test_the_command_is_the_tool():
    with pytest.raises(SystemExit, match=r"error: there is no config 'no\.py'"):
        main(['calibrate', 'no.py', 'a.pth'])
