import hashlib
import pickle
import time
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.fileio import exists, get
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from mmseg_jml.datasets import ShapeScene, SyntheticShapesDataset
from tests.processes import ROOT, run_python

BACKGROUND, LINE, STAR = 0, 1, 2
LOAD = [{'type': 'LoadImageFromFile'}, {'type': 'LoadAnnotations'}]
DIGEST = (
    'import hashlib\n'
    'from mmseg_jml.datasets import ShapeScene\n'
    'picture, label = ShapeScene(seed=5).render(17)\n'
    'print(hashlib.sha256(picture.tobytes() + label.tobytes()).hexdigest())\n'
)


@pytest.fixture(autouse=True)
def scope():
    """Transforms are looked up as in a runner of MMSegmentation."""
    init_default_scope('mmseg')


@pytest.fixture(scope='module')
def labels():
    scene = ShapeScene(height=96, width=128, seed=4)
    return np.stack([scene.render(index)[1] for index in range(200)])


def digest(picture, label):
    return hashlib.sha256(picture.tobytes() + label.tobytes()).hexdigest()


def loaded(**options):
    return SyntheticShapesDataset(
        **{'length': 4, 'size': (64, 96), 'pipeline': LOAD} | options
    )


def test_another_process_draws_the_same_bytes(tmp_path):
    done = run_python('-c', DIGEST, cwd=tmp_path, path=(ROOT,))
    assert done.stdout.split()[-1] == digest(*ShapeScene(seed=5).render(17))


def test_a_picture_does_not_depend_on_what_was_drawn_before():
    scene = ShapeScene(height=64, width=96)
    for index in range(4):
        scene.render(index)
    assert digest(*scene.render(4)) == digest(*ShapeScene(64, 96).render(4))


@pytest.mark.parametrize('threads', [1, 2])
def test_threads_of_opencv_change_nothing(threads):
    before = cv2.getNumThreads()
    alone = digest(*ShapeScene().render(0))
    try:
        cv2.setNumThreads(threads)
        assert digest(*ShapeScene().render(0)) == alone
    finally:
        cv2.setNumThreads(before)


def test_workers_load_what_the_main_process_loads():
    dataset = loaded(pipeline=[*LOAD, {'type': 'PackSegInputs'}])
    batches = torch.utils.data.DataLoader(
        dataset, batch_size=1, num_workers=1, collate_fn=pseudo_collate
    )
    for index, batch in enumerate(batches):
        assert torch.equal(batch['inputs'][0], dataset[index]['inputs'])


@pytest.mark.parametrize('other', [{'seed': 1}, {'num_classes': 7}, {'edge_blur': 0.5}])
def test_other_options_draw_other_pictures(other):
    assert digest(*ShapeScene().render(0)) != digest(*ShapeScene(**other).render(0))


def test_pictures_of_one_scene_differ():
    digests = [digest(*ShapeScene(64, 96).render(index)) for index in range(8)]
    assert len(set(digests)) == 8


@pytest.mark.parametrize('num_classes', [4, 6, 10])
@pytest.mark.parametrize('size', [(32, 32), (33, 97), (120, 64)])
def test_labels_hold_every_class_and_nothing_else(num_classes, size):
    scene = ShapeScene(*size, num_classes=num_classes)
    rendered = [scene.render(index) for index in range(60)]
    assert {picture.shape for picture, _ in rendered} == {(*size, 3)}
    assert {label.shape for _, label in rendered} == {size}
    found = np.unique([label for _, label in rendered])
    assert found.tolist() == [*range(num_classes), 255]


def test_the_rare_class_has_less_than_half_a_per_cent_of_the_pixels(labels):
    assert 0 < (labels == STAR).mean() < 0.005


def test_the_rare_class_is_in_a_third_of_the_pictures(labels):
    share = (labels == STAR).any(axis=(1, 2)).mean()
    assert 0.25 < share < 0.45


def test_ordinary_classes_have_ten_times_the_rare_ones_pixels(labels):
    counts = np.bincount(labels.ravel(), minlength=6)
    assert counts[STAR + 1 : 6].min() > 10 * counts[STAR]


def test_an_eroded_line_is_gone_and_an_eroded_shape_is_not(labels):
    window = np.ones((9, 9), np.uint8)
    left = np.zeros(6)
    for label in labels:
        for class_id in range(6):
            mask = (label == class_id).astype(np.uint8)
            left[class_id] += cv2.erode(mask, window, borderValue=0).sum()
    left /= np.bincount(labels.ravel(), minlength=6)[:6]
    assert left[LINE] < 0.02
    assert left[[STAR + 1, STAR + 2, STAR + 3]].min() > 0.1


def test_ignored_rims_follow_some_outlines(labels):
    assert 0.005 < (labels == 255).mean() < 0.05


def test_without_a_rim_nothing_is_ignored():
    scene = ShapeScene(96, 128, rim=0)
    assert all((scene.render(index)[1] < 6).all() for index in range(20))


def test_the_pictures_gradient_at_label_boundaries_is_soft():
    exact = ShapeScene(edge_blur=0, edge_jitter=0, rim=0)
    assert gradients(ShapeScene(rim=0))[0] < 0.7 * gradients(exact)[0]


def test_the_picture_still_changes_at_label_boundaries():
    at, beside = gradients(ShapeScene(rim=0))
    assert at > 1.4 * beside


def gradients(scene):
    """Mean grey gradient on the boundaries of labels, and 3 pixels beside them."""
    means = []
    for index in range(12):
        picture, label = scene.render(index)
        grey = cv2.GaussianBlur(picture.mean(axis=2), (0, 0), 0.6)
        steps = np.hypot(*np.gradient(grey))
        away = distance(boundary(label))
        means.append([steps[away == 0].mean(), steps[(away > 2) & (away < 4)].mean()])
    return np.mean(means, axis=0)


def distance(mask):
    return cv2.distanceTransform(1 - mask.astype(np.uint8), cv2.DIST_L2, 3)


def boundary(label):
    window = np.ones((3, 3), np.uint8)
    return cv2.dilate(label, window) != cv2.erode(label, window)


def test_the_label_wavers_around_the_picture_by_the_jitter():
    exact, drawn = ShapeScene(edge_jitter=0, rim=0), ShapeScene(edge_jitter=1.0, rim=0)
    moved, far = 0.0, 0.0
    for index in range(12):
        truth, label = exact.render(index)[1], drawn.render(index)[1]
        away = distance(boundary(truth))
        moved += (truth != label)[away == 0].mean() / 12
        far += (truth != label)[away > 4].mean() / 12
    assert 0.1 < moved < 0.5
    assert far < 0.001


def test_jitter_moves_the_label_and_not_the_picture():
    exact, drawn = ShapeScene(edge_jitter=0), ShapeScene(edge_jitter=1.0)
    assert np.array_equal(exact.render(0)[0], drawn.render(0)[0])


def test_drawing_is_quick():
    scene = ShapeScene()
    ticks = [time.process_time()]
    for index in range(20):
        scene.render(index)
        ticks.append(time.process_time())
    assert min(after - before for before, after in pairwise(ticks)) < 0.03


def test_stock_loading_gives_what_was_drawn():
    sample = loaded(seed=3)[2]
    picture, label = ShapeScene(64, 96, seed=3).render(2)
    assert np.array_equal(sample['img'], picture)
    assert np.array_equal(sample['gt_seg_map'], label)
    assert sample['ori_shape'] == (64, 96)


def test_stock_transforms_run():
    pipeline = [
        *LOAD,
        {
            'type': 'RandomResize',
            'scale': (96, 64),
            'ratio_range': (0.5, 2.0),
            'keep_ratio': True,
        },
        {'type': 'RandomCrop', 'crop_size': (48, 48), 'cat_max_ratio': 0.75},
        {'type': 'RandomFlip', 'prob': 1.0},
        {'type': 'PhotoMetricDistortion'},
        {'type': 'Pad', 'size': (48, 48)},
        {'type': 'PackSegInputs'},
    ]
    sample = loaded(pipeline=pipeline)[1]
    assert sample['inputs'].shape == (3, 48, 48)
    assert sample['data_samples'].gt_sem_seg.data.shape == (1, 48, 48)
    assert sample['data_samples'].flip


def test_the_registry_builds_it_with_its_classes_and_colours():
    dataset = DATASETS.build(
        {'type': 'SyntheticShapesDataset', 'num_classes': 5, 'test_mode': True}
    )
    assert dataset.metainfo['classes'] == ('background', 'line', 'star', 'disk', 'box')
    assert len(dataset.metainfo['palette']) == 5


def test_fewer_classes_may_be_asked_for_by_name():
    dataset = loaded(num_classes=4, metainfo={'classes': ('background', 'disk')})
    ids = np.unique([dataset[index]['gt_seg_map'] for index in range(4)])
    assert ids.tolist() == [0, 1, 255]


def test_reduce_zero_label_ignores_the_background():
    plain, reduced = loaded()[0], loaded(reduce_zero_label=True)[0]
    hidden = np.isin(plain['gt_seg_map'], [0, 255])
    assert np.array_equal(reduced['gt_seg_map'] == 255, hidden)


@pytest.mark.parametrize('options', [{'lazy_init': True}, {'serialize_data': False}])
def test_lazy_and_unserialized_data_sets_hold_the_same_pictures(options):
    assert np.array_equal(loaded(**options)[3]['img'], loaded()[3]['img'])


def test_indices_choose_pictures():
    dataset = loaded(indices=[3, 1])
    assert len(dataset) == 2
    assert np.array_equal(dataset[0]['img'], loaded()[3]['img'])


def test_a_pickled_copy_holds_the_same_pictures():
    dataset = loaded()
    copy = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(copy[1]['img'], dataset[1]['img'])


def test_picture_names_are_distinct_and_without_folders():
    infos = [loaded().get_data_info(index) for index in range(2)]
    names = [info['img_path'].rsplit('/', 1)[-1] for info in infos]
    assert names == ['000000.bmp', '000001.bmp']


@pytest.mark.parametrize(
    'path',
    [
        'synthetic-shapes://img/seed=0/none.bmp',
        'synthetic-shapes://img/colour=3/000001.bmp',
        'synthetic-shapes://img/num_classes=99/000001.bmp',
        'synthetic-shapes://depth/seed=0/000001.bmp',
        'synthetic-shapes://img/seed=0/-1.bmp',
        'synthetic-shapes://000001.bmp',
    ],
)
def test_a_path_to_nothing_is_a_missing_file(path):
    assert not exists(path)
    with pytest.raises(FileNotFoundError, match='no synthetic image'):
        get(path)


@pytest.mark.parametrize(
    ('options', 'error', 'words'),
    [
        ({'length': 0}, ValueError, '`length` must be at least 1, got 0'),
        ({'length': 2.0}, TypeError, '`length` must be an int, got 2.0'),
        ({'size': (16, 64)}, ValueError, r'`size` must be \(H, W\) from 32 up'),
        ({'size': 64}, TypeError, r'`size` must be \(H, W\), two ints, got 64'),
        ({'size': (64.0, 64)}, TypeError, '`height` must be an int, got 64.0'),
        ({'num_classes': 3}, ValueError, '`num_classes` must be from 4 to 10, got 3'),
        ({'num_classes': 11}, ValueError, '`num_classes` must be from 4 to 10, got 11'),
        ({'num_classes': True}, TypeError, '`num_classes` must be an int, got True'),
        ({'seed': -1}, ValueError, '`seed` must be finite and >= 0, got -1'),
        ({'rim': -1}, ValueError, '`rim` must be finite and >= 0, got -1'),
        ({'edge_blur': float('nan')}, ValueError, '`edge_blur` must be finite'),
        ({'edge_jitter': -0.5}, ValueError, '`edge_jitter` must be finite'),
    ],
)
def test_options_out_of_range_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        SyntheticShapesDataset(**options)
