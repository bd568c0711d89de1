"""The metrics in MMEngine's own loops."""

import csv
import warnings

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from tests.processes import ROOT

EVALUATOR = [
    dict(type='IoUMetric', iou_metrics=['mIoU', 'mDice']),
    dict(type='CalibrationMetric', per_image_csv=True),
    dict(type='FineGrainedIoUMetric'),
]


@pytest.fixture
def config(tmp_path):
    config = Config.fromfile(ROOT / 'tests/tools/tiny.py')
    config.work_dir = str(tmp_path)
    config.experiment_name = tmp_path.name
    config.val_evaluator = config.test_evaluator = EVALUATOR
    config.log_level = 'ERROR'
    config.randomness = dict(seed=0)
    return config


def run(config, job='test'):
    """The figures of a run; what the frameworks warn about is theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return getattr(Runner.from_cfg(config), job)()


def binary(config):
    """A head of one channel, which tells disks from the background."""
    head = config.model.decode_head
    head.update(num_classes=2, out_channels=1, threshold=0.4)
    head.loss_decode = dict(type='JaccardMetricLoss', use_sigmoid=True)
    # What is neither becomes 255.
    config.test_dataloader.dataset.metainfo = dict(classes=('background', 'disk'))


def augmented(config, model):
    """Test-time augmentation, as `tools/test.py --tta` sets it up."""
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
    config.model = dict(type=model, module=config.model)


def test_the_metrics_agree_with_the_iou_metric_beside(config):
    found = run(config)
    assert found['calib/Acc'] == pytest.approx(found['aAcc'], abs=0.006)
    for ours, theirs in (('Acc_D', 'aAcc'), ('mIoU_D', 'mIoU'), ('mAcc_D', 'mAcc')):
        assert found[f'fine/{ours}'] == pytest.approx(found[theirs], abs=0.006)
    assert found['fine/mDice_D'] == pytest.approx(found['mDice'], abs=0.006)


def test_rows_lie_beside_the_runs_log(config, tmp_path):
    found = run(config)
    (path,) = tmp_path.glob('*/calib_per_image.csv')
    assert list(path.parent.glob('*.log'))
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['name'] for row in rows] == [f'{i:06d}.bmp' for i in range(4)]
    mean = sum(float(row['mIoU']) for row in rows) / 4
    assert found['fine/mIoU_I'] == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize('reduce', [True, False])
def test_reduce_zero_label_is_handled_as_the_iou_metric_does(config, reduce):
    dataset = config.test_dataloader.dataset
    dataset.reduce_zero_label = reduce
    dataset.pipeline[1] = dict(type='LoadAnnotations', reduce_zero_label=reduce)
    found = run(config)
    assert found['calib/Acc'] == pytest.approx(found['aAcc'], abs=0.006)


def test_a_binary_heads_accuracy_is_the_iou_metrics(config):
    binary(config)
    found = run(config)
    assert found['calib/Acc'] == pytest.approx(found['aAcc'], abs=0.006)
    assert found['fine/mIoU_D'] == pytest.approx(found['mIoU'], abs=0.006)
    assert 0 < found['calib/NLL'] < 2


def test_slide_inference_is_measured(config):
    config.model.test_cfg = dict(mode='slide', crop_size=(32, 32), stride=(16, 16))
    found = run(config)
    assert found['calib/Acc'] == pytest.approx(found['aAcc'], abs=0.006)


def test_the_last_augmentation_alone_is_refused(config):
    augmented(config, 'SegTTAModel')
    with pytest.raises(ValueError, match='set `tta_model = dict'):
        run(config)


@pytest.mark.parametrize('channels', [1, 4])
def test_merged_augmentations_are_measured(config, channels):
    if channels == 1:
        binary(config)
    augmented(config, 'MergedSegTTAModel')
    found = run(config)
    assert found['calib/Acc'] == pytest.approx(found['aAcc'], abs=0.006)


def test_the_best_checkpoint_is_kept_by_ece(config, tmp_path):
    config.train_cfg.update(max_iters=4, val_interval=2)
    config.default_hooks.checkpoint.update(
        interval=4, save_best='calib/ECE', rule='less'
    )
    run(config, 'train')
    assert len(list(tmp_path.glob('best_calib_ECE_iter_*.pth'))) == 1
