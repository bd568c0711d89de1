"""What new-config makes of the values in masks."""

import os

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmseg_jml.datasets.check import find_problems
from mmseg_jml.datasets.mask_meaning import read_classes
from tests.cli.own_folders import (
    BLACK,
    COLOURED,
    FOUR,
    PAINTED,
    RED,
    fill,
    image,
    label,
    mask,
    run,
    save,
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


@pytest.mark.parametrize(
    ('pixels', 'expected', 'count'),
    [
        (mask(0, 1, 2), mask(0, 1, 2), 3),
        (mask(0, 1, 255), mask(0, 1, 255), 2),
        (mask(1, 2, 3), mask(0, 1, 2), 3),  # ids from 1
        (mask(0, 1), mask(0, 1), 2),
        (mask(0, 255), mask(0, 1), 2),
        (mask(0, 128, 255), mask(0, 1, 2), 3),  # grey levels
        (mask(0, 15, 255), mask(0, 15, 255), 16),  # two classes of many, and void
        (mask(0, 300, 700, dtype=np.uint16), mask(0, 1, 2), 3),
        (mask(0, 1).astype(bool), mask(0, 1), 2),
        (COLOURED, mask(0, 1), 2),
        (np.repeat(mask(0, 255)[..., None], 3, 2), mask(0, 1), 2),
        (np.dstack([COLOURED, mask(255)]), mask(0, 1), 2),  # alpha
        (PAINTED, mask(0, 1, 2), 3),
    ],
)
def test_training_sees_the_classes_that_the_masks_mean(
    tmp_path, pixels, expected, count
):
    fill(tmp_path, FOUR, [pixels])
    cfg = run(tmp_path)
    assert np.array_equal(label(cfg), expected)
    assert cfg.model.decode_head.num_classes == len(cfg.classes) == count
    assert list(find_problems(cfg.train_dataloader.dataset)) == []


def test_the_originals_are_not_changed(tmp_path):
    fill(tmp_path, FOUR, [COLOURED])
    files = sorted((tmp_path / 'masks').iterdir())
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    run(tmp_path)
    assert sorted((tmp_path / 'masks').iterdir()) == files
    assert [(p.read_bytes(), p.stat().st_mtime_ns) for p in files] == before


def test_conversion_goes_on_after_a_crash_and_again_for_changed_masks(tmp_path):
    fill(tmp_path, FOUR, [COLOURED])
    run(tmp_path)
    made = tmp_path / 'my_data' / 'masks'
    (made / 'a.png').unlink()
    kept = (made / 'b.png').stat().st_mtime_ns
    save(tmp_path / 'masks' / 'c.png', COLOURED[::-1].copy())
    os.utime(tmp_path / 'masks' / 'c.png', (0, 0))  # older than what it replaces
    run(tmp_path, '--force')
    assert (made / 'a.png').is_file()
    assert (made / 'b.png').stat().st_mtime_ns == kept
    assert np.array_equal(np.array(Image.open(made / 'c.png')), mask(0, 1)[::-1])


def test_masks_converted_to_other_ids_are_converted_again(tmp_path):
    levels = mask(0, 100, 200)
    fill(tmp_path, FOUR, [levels])
    assert np.array_equal(label(run(tmp_path)), mask(0, 1, 2))
    cfg = run(tmp_path, '--force', '--ignore', 'class_0')
    assert np.array_equal(label(cfg), mask(255, 0, 1))


def test_a_file_of_classes_gives_names_and_ids_to_colours(tmp_path):
    fill(tmp_path, FOUR, [COLOURED])
    (tmp_path / 'c.csv').write_text('name,r,g,b\nred,255,0,0\nsea,0,0,9\nrest,0,0,0\n')
    cfg = run(tmp_path, '--classes', tmp_path / 'c.csv', '--ignore', 'sea')
    assert cfg.classes == ['red', 'rest']
    assert cfg.palette == [RED, BLACK]
    assert np.array_equal(label(cfg), mask(1, 0))


def test_the_palette_of_the_files_gives_the_colours(tmp_path):
    fill(tmp_path, FOUR, [PAINTED])
    assert run(tmp_path).palette == [[9, 9, 9], [200, 0, 0], [0, 0, 200]]


def test_opacity_is_not_taken_for_white(tmp_path):
    bands = [Image.fromarray(mask(0, 200)), Image.fromarray(mask(255, 9, 255))]
    fill(tmp_path, FOUR, [Image.merge('LA', bands)])
    cfg = run(tmp_path, '--threshold', '128')
    assert np.array_equal(label(cfg), mask(0, 1))


def test_ids_beside_opacity_are_converted(tmp_path):
    bands = [Image.fromarray(mask(0, 1, 2)), Image.fromarray(mask(255, 9))]
    fill(tmp_path, FOUR, [Image.merge('LA', bands)])
    assert np.array_equal(label(run(tmp_path)), mask(0, 1, 2))


def test_numbers_of_objects_are_refused_as_classes(tmp_path):
    size = (16, 16)
    many = np.arange(256, dtype=np.uint16).reshape(size)
    for index, name in enumerate(FOUR):
        save(tmp_path / 'images' / f'{name}.png', image(size))
        save(tmp_path / 'masks' / f'{name}.png', many + 256 * index)
    with pytest.raises(SystemExit, match='1024 different values'):
        run(tmp_path)


def test_negative_values_are_refused_as_classes(tmp_path):
    for name in FOUR:
        save(tmp_path / 'images' / f'{name}.png', image((16, 16)))
        values = np.zeros((16, 16), np.float32)
        values[:4] = -1  # as GIS tools write where there is no data
        save(tmp_path / 'masks' / f'{name}.tif', values)
    with pytest.raises(SystemExit, match='the negative value -1, which is no class'):
        run(tmp_path)


def test_the_table_of_classes_is_read_back_as_it_was(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 1)])
    run(tmp_path, '--classes', 'road, wet', 'sky')
    table = tmp_path / 'my_data' / 'classes.csv'
    assert list(read_classes([str(table)])) == ['road, wet', 'sky']


def test_jpeg_masks_are_refused_unless_a_threshold_undoes_them(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 0, 255, 255)], mask_end='.jpg')
    with pytest.raises(SystemExit, match='is a JPEG, which changes the values'):
        run(tmp_path)
    cfg = run(tmp_path, '--threshold', 128)
    assert np.array_equal(label(cfg), mask(0, 0, 1, 1))


def test_masks_of_one_value_are_refused(tmp_path):
    fill(tmp_path, FOUR, [mask(0)])
    with pytest.raises(SystemExit, match='every pixel of all masks is 0'):
        run(tmp_path)


def test_masks_of_one_id_and_ignored_pixels_are_refused(tmp_path):
    fill(tmp_path, FOUR, [mask(1, 255)])
    with pytest.raises(SystemExit, match='only the id 1 and ignored pixels'):
        run(tmp_path)
