"""CalibrationHook in a real runner."""

import copy
import json

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.visualization import SegLocalVisualizer
from PIL import Image

from mmseg_jml.functional.calibration import expected_calibration_error
from mmseg_jml.hooks import CalibrationHook
from mmseg_jml.visualization import read_bin_tables
from tests.processes import ROOT

METRICS = [
    {'type': 'IoUMetric', 'iou_metrics': ['mIoU']},
    {'type': 'CalibrationMetric'},
]
CHANGES = {
    'val_evaluator': METRICS,
    'test_evaluator': METRICS,
    'train_cfg.max_iters': 4,
    'train_cfg.val_interval': 2,
    'default_hooks.checkpoint.interval': 2,
    'custom_hooks': [{'type': 'CalibrationHook', 'pictures': 2}],
    'visualizer': {
        'type': 'SegLocalVisualizer',
        'vis_backends': [{'type': 'LocalVisBackend'}],
    },
}


def run(folder, changes=None, job='train', timestamp=''):
    """Do `job` as the tiny config says; return its runner."""
    cfg = Config.fromfile(ROOT / 'tests/tools/tiny.py')
    cfg.merge_from_dict(copy.deepcopy(CHANGES | (changes or {})))
    cfg.work_dir = str(folder)
    # A process has one runner and one visualizer of each name.
    cfg.experiment_name = cfg.visualizer.name = (
        str(folder).replace('/', '-') + timestamp
    )
    runner = Runner.from_cfg(cfg)
    if timestamp:  # two runs may begin in the same second
        runner._log_dir = str(folder / timestamp)
    runner.scores = getattr(runner, job)()
    return runner


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A training with validation at iterations 2 and 4."""
    folder = tmp_path_factory.mktemp('trained')
    save = {
        'default_hooks.checkpoint.save_best': 'calib/ECE',
        'default_hooks.checkpoint.rule': 'less',
    }
    return folder, run(folder, save)


def logged(folder):
    """The scores of each validation, by iteration."""
    (path,) = folder.rglob('scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line['step']: line for line in lines if 'calib/ECE' in line}


def test_every_validation_leaves_its_files_and_nothing_half_written(trained):
    folder, _ = trained
    assert sorted(path.name for path in (folder / 'calibration').iterdir()) == sorted(
        f'val_iter_{iteration}_{name}'
        for iteration in (2, 4)
        for name in ('reliability.png', 'bins.csv', 'pictures.png')
    )


def test_both_pictures_reach_the_visualizers_backends(trained):
    folder, _ = trained
    names = {path.name for path in folder.rglob('vis_image/*')}
    assert names == {
        f'val_{name}_{step}.png'
        for name in ('reliability', 'pictures')
        for step in (2, 4)
    }


def test_the_pictures_can_be_opened_and_show_something(trained):
    folder, _ = trained
    for path in (folder / 'calibration').glob('*.png'):
        with Image.open(path) as image:
            assert image.format == 'PNG'
            assert np.asarray(image).std() > 10


def test_the_bins_have_the_ece_that_is_logged(trained):
    folder, _ = trained
    for iteration, scores in logged(folder).items():
        tables = read_bin_tables(folder / f'calibration/val_iter_{iteration}_bins.csv')
        assert list(tables) == ['all', 'boundary', 'interior']
        for table, key in (('all', 'calib/ECE'), ('boundary', 'calib/BECE')):
            ece = 100 * expected_calibration_error(tables[table])
            assert ece == pytest.approx(scores[key], abs=1e-4)


def test_the_checkpoint_with_the_lowest_ece_is_kept_as_the_best(trained):
    folder, _ = trained
    errors = {step: scores['calib/ECE'] for step, scores in logged(folder).items()}
    best = min(errors, key=errors.get)
    (kept,) = folder.rglob('best_*.pth')
    assert kept.name == f'best_calib_ECE_iter_{best}.pth'


def test_a_test_is_named_after_its_checkpoint_and_needs_no_training_data(
    trained, tmp_path
):
    checkpoint = trained[0] / 'iter_2.pth'
    changes = {'load_from': str(checkpoint), 'train_dataloader.dataset.type': 'None'}
    run(tmp_path, changes, 'test')
    names = {path.name for path in tmp_path.glob('*/calibration/*')}
    assert names == {
        f'test_iter_2_{name}'
        for name in ('reliability.png', 'bins.csv', 'pictures.png')
    }


def test_checkpoints_with_one_name_do_not_overwrite_each_others_figures(
    trained, tmp_path
):
    for run_of in ('first', 'second'):
        checkpoint = tmp_path / run_of / 'iter_2.pth'
        checkpoint.parent.mkdir()
        checkpoint.symlink_to(trained[0] / 'iter_2.pth')
        changes = {'load_from': str(checkpoint)}
        run(tmp_path / 'tests', changes, 'test', timestamp=run_of)
    found = {path.parts[-3] for path in tmp_path.rglob('test_iter_2_bins.csv')}
    assert found == {'first', 'second'}


def test_epochs_are_named_too(tmp_path):
    loop = {
        '_delete_': True,
        'type': 'EpochBasedTrainLoop',
        'max_epochs': 1,
        'val_interval': 1,
    }
    changes = {
        'train_cfg': loop,
        'train_dataloader.sampler.type': 'DefaultSampler',
        'default_hooks.checkpoint.by_epoch': True,
    }
    run(tmp_path, changes)
    assert (tmp_path / 'calibration/val_epoch_1_bins.csv').is_file()


def test_tables_of_classes_become_panels(tmp_path, monkeypatch):
    drawn = []

    def draw(tables, title):
        drawn.extend(tables)
        return Figure(figsize=(1, 1))

    monkeypatch.setattr('mmseg_jml.hooks.calibration.reliability_diagram', draw)
    metric = {'type': 'CalibrationMetric', 'per_class': True, 'class_wise': True}
    hook = {'type': 'CalibrationHook', 'pictures': 0}
    run(tmp_path, {'test_evaluator': [metric], 'custom_hooks': [hook]}, 'test')
    assert drawn[:4] == [
        'all pixels',
        'boundary pixels',
        'interior pixels',
        'predicted as background',
    ]
    assert 'probability of star' in drawn
    names = {path.name for path in tmp_path.glob('*/calibration/*')}
    assert names == {'test_reliability.png', 'test_bins.csv'}


def kept_maps(tmp_path, monkeypatch, pictures):
    """What the hook hands to the sheet: pictures, labels, runs."""
    seen = []

    def sheet(pictures, labels, runs, **options):
        seen.append((pictures, labels, runs, options))
        return Figure(figsize=(1, 1))

    monkeypatch.setattr('mmseg_jml.hooks.calibration.prediction_sheet', sheet)
    hook = {'type': 'CalibrationHook', 'pictures': pictures}
    runner = run(tmp_path, {'custom_hooks': [hook]}, 'test')
    (found,) = seen
    return runner, found


def test_the_maps_are_those_of_the_pictures_asked_for(tmp_path, monkeypatch):
    runner, (pictures, labels, runs, options) = kept_maps(tmp_path, monkeypatch, [3, 1])
    dataset = runner.test_dataloader.dataset
    assert options['maps'] == ('prediction', 'confidence', 'error')
    for place, index in enumerate((1, 3)):
        sample = dataset[index]
        shown = sample['inputs'].numpy()[::-1].transpose(1, 2, 0)
        assert np.array_equal(pictures[place], shown)
        label = sample['data_samples'].gt_sem_seg.data[0].numpy()
        assert np.array_equal(labels[place], label)
        batch = {key: [value] for key, value in sample.items()}
        with torch.no_grad():
            (output,) = runner.model.test_step(batch)
        probs = output.seg_logits.data.softmax(0)
        prediction, confidence = runs['model'][place]
        assert np.array_equal(prediction, probs.argmax(0).numpy())
        np.testing.assert_allclose(confidence, probs.amax(0).numpy(), rtol=1e-5)


def test_a_number_of_pictures_is_spread_over_the_data_set():
    assert CalibrationHook(pictures=3)._indices(11) == [0, 5, 10]
    assert CalibrationHook(pictures=5)._indices(2) == [0, 1]


def test_an_index_beyond_the_data_set_is_refused(tmp_path):
    hook = {'type': 'CalibrationHook', 'pictures': [1, 4]}
    with pytest.raises(ValueError, match=r'which has 4 images, got \[4\]'):
        run(tmp_path, {'custom_hooks': [hook]}, 'test')


@pytest.mark.parametrize(('job', 'split'), [('train', 'val'), ('test', 'test')])
def test_an_evaluator_without_the_metric_is_refused_at_once(tmp_path, job, split):
    with pytest.raises(ValueError, match=f'`{split}_evaluator` has none: make it a'):
        run(tmp_path, {f'{split}_evaluator': METRICS[0]}, job)


@pytest.mark.parametrize(
    ('pictures', 'error', 'words'),
    [
        ('all', TypeError, "must be an integer or a list of image indices, got 'all'"),
        (1.5, TypeError, r'must be an integer or a list of image indices, got 1\.5'),
        (True, TypeError, 'got True'),
        ([0.5], TypeError, r'got \[0\.5\]'),
        (-1, ValueError, 'must not be negative, got -1'),
        ([2, -1], ValueError, 'must not be negative'),
    ],
)
def test_pictures_that_are_none_are_refused(pictures, error, words):
    with pytest.raises(error, match=words):
        CalibrationHook(pictures=pictures)


def test_maps_of_every_rank_are_shown(tmp_path, monkeypatch):
    def gather(parts, size):
        (kept,) = parts
        assert set(kept) == {0, 3}
        return [{3: kept[3]}, {0: kept[0]}]

    monkeypatch.setattr('mmseg_jml.hooks.calibration.collect_results', gather)
    runner, (pictures, *_) = kept_maps(tmp_path, monkeypatch, 2)
    dataset = runner.test_dataloader.dataset
    for shown, index in zip(pictures, (0, 3), strict=True):
        expected = dataset[index]['inputs'].numpy()[::-1].transpose(1, 2, 0)
        assert np.array_equal(shown, expected)


@pytest.mark.parametrize('wrapped', [False, True], ids=['alone', 'concatenated'])
@pytest.mark.parametrize(
    ('options', 'turned'),
    [
        ({'color_type': 'color_ignore_orientation'}, False),
        ({'imdecode_backend': 'pillow'}, True),
    ],
)
def test_an_image_is_shown_as_the_pipeline_reads_it(
    tmp_path, monkeypatch, options, turned, wrapped
):
    exif, size = Image.Exif(), (32, 48)
    exif[0x0112] = 3  # upside down, which no size tells
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    for part in ('img', 'ann'):
        (tmp_path / part).mkdir()
    Image.fromarray(pixels).save(tmp_path / 'img/a.png', exif=exif)
    Image.fromarray(pixels[..., 0] % 4).save(tmp_path / 'ann/a.png')
    dataset = {
        '_delete_': True,
        'type': 'BaseSegDataset',
        'data_root': str(tmp_path),
        'img_suffix': '.png',
        'data_prefix': {'img_path': 'img', 'seg_map_path': 'ann'},
        'metainfo': {'classes': ('a', 'b', 'c', 'd')},
        'pipeline': [
            {'type': 'LoadImageFromFile', **options},
            {'type': 'LoadAnnotations'},
            {'type': 'PackSegInputs'},
        ],
    }
    if wrapped:
        inner = {key: value for key, value in dataset.items() if key != '_delete_'}
        dataset = {'_delete_': True, 'type': 'ConcatDataset', 'datasets': [inner]}
    seen = []

    def sheet(pictures, *_, **__):
        seen.extend(pictures)
        return Figure(figsize=(1, 1))

    monkeypatch.setattr('mmseg_jml.hooks.calibration.prediction_sheet', sheet)

    def paint(self, name, image, **_):
        seen.append(image)

    monkeypatch.setattr(SegLocalVisualizer, 'add_datasample', paint)
    changes = {
        'test_dataloader.dataset': dataset,
        'default_hooks.visualization': {'type': 'PaintingHook', 'draw': True},
    }
    run(tmp_path / 'run', changes, 'test')
    assert len(seen) == 2
    for image in seen:
        np.testing.assert_array_equal(image, pixels[::-1, ::-1] if turned else pixels)


def test_other_ranks_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr('mmseg_jml.hooks.calibration.is_main_process', lambda: False)
    run(tmp_path, job='test')
    assert not list(tmp_path.rglob('calibration'))
