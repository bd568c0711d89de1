"""What a distilling segmentor refuses, and in which words."""

import pytest
from mmengine.model import BaseDataPreprocessor
from mmseg.registry import MODELS

from tests.segmentors.distilled import (
    KL,
    build,
    knet_head,
    student_config,
    teacher_config,
    write_teacher,
)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return write_teacher(tmp_path_factory.mktemp('teacher'))


def refused(error, words, checkpoint, **changes):
    with pytest.raises(error, match=words):
        build(student_config(checkpoint, **changes)).init_weights()


def test_a_missing_checkpoint_is_told_before_training():
    words = r"no file 'nowhere.pth'.*model.teacher_checkpoint=FILE"
    refused(FileNotFoundError, words, 'nowhere.pth')


def test_a_missing_checkpoint_names_the_config_that_makes_it():
    words = 'python -m mmseg_jml train teacher.py'
    refused(FileNotFoundError, words, 'nowhere.pth', teacher='teacher.py')


def test_a_missing_config_is_told(checkpoint):
    refused(FileNotFoundError, "no config 'no.py'", checkpoint, teacher='no.py')


def test_a_config_without_a_model_is_told(checkpoint, tmp_path):
    (tmp_path / 'empty.py').write_text('a = 1\n')
    path = str(tmp_path / 'empty.py')
    refused(ValueError, 'a config with a `model`', checkpoint, teacher=path)


def test_a_checkpoint_of_another_architecture_names_the_keys(checkpoint):
    cfg = teacher_config(num_convs=2)
    words = (
        r'`teacher_checkpoint` .*:\n  5 keys the model has and the checkpoint lacks: de'
    )
    refused(ValueError, words, checkpoint, teacher=cfg)
    cfg = teacher_config(num_convs=0, in_channels=16, channels=16)
    refused(
        ValueError,
        'keys the checkpoint has and the model lacks',
        checkpoint,
        teacher=cfg,
    )


def test_a_checkpoint_of_another_width_names_the_shapes(checkpoint):
    words = r'have another shape in the checkpoint: .*\(8, 3, 3, 3\) instead of \(4, 3'
    cfg = teacher_config(in_channels=8)
    cfg.backbone.base_channels = 4
    refused(ValueError, words, checkpoint, teacher=cfg)


# MMSegmentation's own call of MMCV.
@pytest.mark.filterwarnings('ignore:"dropout" is deprecated')
def test_a_head_without_losses_of_its_own_is_told(checkpoint):
    words = 'IterativeDecodeHead has no `loss_decode` of its own'
    refused(TypeError, words, checkpoint, decode_head=knet_head())


def test_a_teacher_of_other_classes_is_told(checkpoint):
    words = r"the student's 4 classes \(output channels\), got 7"
    refused(ValueError, words, checkpoint, teacher=teacher_config(num_classes=7))


def test_a_preprocessor_that_is_not_known_is_told(checkpoint, monkeypatch):
    cfg = teacher_config()
    cfg.data_preprocessor = dict(type='OwnPreprocessor')

    class OwnPreprocessor(BaseDataPreprocessor):
        pass

    monkeypatch.setitem(MODELS.module_dict, 'OwnPreprocessor', OwnPreprocessor)
    words = 'whose normalization is known, got OwnPreprocessor'
    refused(ValueError, words, checkpoint, teacher=cfg)


@pytest.mark.parametrize(
    ('changes', 'error', 'words'),
    [
        (dict(teacher=None), TypeError, '`teacher` must be the path .* got None'),
        (dict(teacher={}), TypeError, r'`teacher` must be .* a `type`\), got {}'),
        (dict(teacher_checkpoint=None), TypeError, '`teacher_checkpoint` must be'),
        (dict(distill_losses=dict(type='CrossEntropyLoss')), TypeError, 'got CrossE'),
        (dict(distill_losses=[]), ValueError, 'at least one loss config'),
        (dict(auxiliary_distill_losses=[KL]), ValueError, 'without an auxiliary head'),
    ],
)
def test_options_that_cannot_work_are_refused(checkpoint, changes, error, words):
    with pytest.raises(error, match=words):
        build(student_config(checkpoint, **changes))
