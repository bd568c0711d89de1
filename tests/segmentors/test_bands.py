"""Images of any number of bands and any type, in the segmentors that train."""

import copy

import numpy as np
import pytest
import torch
from mmengine.runner import save_checkpoint
from torch.testing import assert_close

from mmseg_jml.datasets.semi_supervised import branch_collate
from mmseg_jml.datasets.views import PackViews
from tests.segmentors.distilled import (
    SIZE,
    batch,
    build,
    student_config,
    teacher_config,
    total,
)
from tests.segmentors.semi_supervised import UNIMATCH, semi_config

ONE = dict(mean=[100.0], std=[50.0])
IMAGES = {  # type and bands of images
    'grey': ('uint8', 1),
    'four bands': ('uint8', 4),
    'colours of 16 bits': ('uint16', 3),
    'reflectance': ('float32', 5),
}


def images(name, number=2):
    kind, bands = IMAGES[name]
    rng = np.random.default_rng(0)
    return [rng.uniform(0, 255, (*SIZE, bands)).astype(kind) for _ in range(number)]


def tensors(name):
    return [torch.from_numpy(each.transpose(2, 0, 1).copy()) for each in images(name)]


def for_bands(cfg, bands, **normalization):
    cfg.backbone.in_channels = bands
    cfg.data_preprocessor.update(normalization)
    return cfg


def taught(folder, teacher, bands, **normalization):
    """A student of images of `bands`, and its teacher as a model of its own."""
    path = folder / 'teacher.pth'
    alone = build(teacher, seed=1).eval()
    save_checkpoint({'state_dict': alone.state_dict(), 'meta': {}}, str(path))
    cfg = student_config(path, teacher=teacher)
    return build(for_bands(cfg, bands, **normalization)).train(), alone


def prepared(model, name):
    data = dict(inputs=tensors(name), data_samples=batch()[1])
    return model.data_preprocessor(copy.deepcopy(data), True)['inputs']


@pytest.mark.parametrize(
    ('name', 'theirs', 'ours'),
    [
        ('grey', ONE, dict(mean=[10.0], std=[2.0])),
        ('grey', ONE, dict(mean=None, std=None)),
        ('grey', ONE, ONE),
        ('four bands', ONE, dict(mean=[10.0], std=[2.0])),
        ('four bands', dict(**ONE, bgr_to_rgb=True), ONE),
        ('colours of 16 bits', dict(**ONE, bgr_to_rgb=True), ONE),
        ('reflectance', dict(mean=None, std=None), ONE),
    ],
)
def test_a_teacher_sees_images_of_any_bands_its_way(tmp_path, name, theirs, ours):
    bands = IMAGES[name][1]
    teacher = for_bands(teacher_config(align_corners=False), bands, **theirs)
    model, alone = taught(tmp_path, teacher, bands, **ours)
    model.init_weights()
    with torch.no_grad():
        expected = alone.encode_decode(
            prepared(alone, name), [dict(img_shape=SIZE)] * 2
        )
    found = model.teacher.logits(model, prepared(model, name), SIZE)
    assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('value', [10.0, 100.0])
def test_a_colour_teacher_sees_a_grey_image_in_three_equal_bands(tmp_path, value):
    teacher = for_bands(
        teacher_config(align_corners=False), 3, mean=[100.0] * 3, std=[50.0] * 3
    )
    model, alone = taught(tmp_path, teacher, 1, mean=[value], std=[50.0])
    inputs = prepared(alone, 'grey')
    assert inputs.shape[1] == 3
    with torch.no_grad():
        expected = alone.encode_decode(inputs, [dict(img_shape=SIZE)] * 2)
    found = model.teacher.logits(model, prepared(model, 'grey'), SIZE)
    assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('name', IMAGES)
def test_a_distilling_segmentor_trains_on_any_image(tmp_path, name):
    bands = IMAGES[name][1]
    teacher = for_bands(teacher_config(align_corners=False), bands, **ONE)
    model, _ = taught(tmp_path, teacher, bands, **ONE)
    losses = model.loss(prepared(model, name), batch()[1])
    total(losses).backward()
    assert all(value.isfinite() for value in losses.values())


@pytest.mark.parametrize('name', IMAGES)
def test_a_semi_supervised_segmentor_trains_on_any_image(name):
    model = build(for_bands(semi_config(UNIMATCH), IMAGES[name][1], **ONE)).train()
    views = PackViews([{'type': 'StrongAugmentation'}], 2)
    label = np.zeros(SIZE, np.uint8)
    labelled = dict(inputs=tensors(name)[0], data_samples=batch(1)[1][0])
    samples = [{key: {'labelled': value} for key, value in labelled.items()}]
    samples += [
        views(dict(img=each, gt_seg_map=label, has_label=False))
        for each in images(name)
    ]
    data = model.data_preprocessor(branch_collate(samples), True)
    losses = model.loss(**data)
    total(losses).backward()
    assert all(value.isfinite() for value in losses.values())


def test_a_teacher_of_other_bands_is_refused_by_name(tmp_path):
    model, _ = taught(
        tmp_path, for_bands(teacher_config(align_corners=False), 4, **ONE), 1, **ONE
    )
    with pytest.raises(ValueError, match='`teacher` takes images with 4 bands, got 1'):
        model.teacher.logits(model, prepared(model, 'grey'), SIZE)
