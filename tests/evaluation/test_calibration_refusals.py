"""What CalibrationMetric refuses, and in which words."""

import pytest

from mmseg_jml.evaluation import CalibrationMetric
from tests.evaluation.cases import evaluate, samples


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (dict(num_bins=0), ValueError, r'`num_bins` must be in \[1, 2\*\*20\], got 0'),
        (dict(num_bins=1.5), TypeError, '`num_bins` must be an int, got 1.5'),
        (dict(closed='both'), ValueError, "`closed` must be one of .* got 'both'"),
        (dict(regions=['edge']), ValueError, '`regions` must be some of'),
        (dict(regions=[]), ValueError, '`regions` must be some of'),
        (dict(kernel_size=2), ValueError, '`kernel_size` must be odd'),
        (dict(bootstrap=-1), ValueError, '`bootstrap` must be at least 0, got -1'),
        (dict(bootstrap=True), TypeError, '`bootstrap` must be an int, got True'),
        (dict(seed=None), TypeError, '`seed` must be an int, got None'),
        (dict(ignore_index='x'), TypeError, "`ignore_index` must be an int, got 'x'"),
        (dict(adaptive=1), TypeError, '`adaptive` must be True or False, got 1'),
    ],
)
def test_a_bad_option_is_refused_when_built(options, error, message):
    with pytest.raises(error, match=message):
        CalibrationMetric(**options)


@pytest.mark.parametrize('field', ['seg_logits', 'pred_sem_seg', 'gt_sem_seg'])
def test_a_missing_field_is_named(field):
    picture = samples(1)[0]
    del picture[field]
    with pytest.raises(ValueError, match=f"`{field}` .*missing in .*'folder/0.png'"):
        evaluate(CalibrationMetric(), [[picture]])


def test_a_label_of_another_size_is_refused():
    picture = samples(1)[0]
    picture['gt_sem_seg']['data'] = picture['gt_sem_seg']['data'][:, 1:]
    with pytest.raises(ValueError, match='LoadAnnotations must come after Resize'):
        evaluate(CalibrationMetric(), [[picture]])


def test_names_of_other_classes_than_the_models_are_refused():
    with pytest.raises(
        ValueError, match='`classes` of the dataset must name 4 classes'
    ):
        evaluate(CalibrationMetric(per_class=True), [samples(1)], classes=('a', 'b'))


def test_a_file_of_rows_needs_a_folder_outside_a_run(monkeypatch):
    from mmengine.logging import MMLogger

    logger = MMLogger.get_instance('without-a-file')
    monkeypatch.setattr(MMLogger, 'get_current_instance', lambda: logger)
    with pytest.raises(
        ValueError, match=r'`output_dir` must be a folder when .* got None'
    ):
        evaluate(CalibrationMetric(per_image_csv=True), [samples(1)])
