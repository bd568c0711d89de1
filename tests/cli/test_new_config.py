"""`new-config`: what it finds in folders of every kind, says and writes."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS

from mmseg_jml.cli.config_text import (
    Own,
    Source,
    batch_size,
    config_text,
    crop_size,
    iterations,
)
from mmseg_jml.datasets.check import find_problems
from mmseg_jml.loss_fragment import use_loss
from tests.cli.own_folders import (
    FOUR,
    SIZE,
    fill,
    image,
    label,
    mask,
    names_of,
    rng,
    run,
    save,
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


def test_names_may_differ_at_their_ends_and_types(tmp_path):
    fill(
        tmp_path,
        ['1', '2', '10'],
        [mask(0, 1)],
        image_end='_sat.jpg',
        mask_end='_mask.png',
    )
    cfg = run(tmp_path)
    assert cfg.dataset.img_suffix == '_sat.jpg'
    assert cfg.dataset.seg_map_suffix == '_mask.png'
    found = [n for part in ('train', 'val', 'test') for n in names_of(tmp_path, part)]
    assert sorted(found) == ['1', '10', '2']


def test_given_suffixes_choose_among_files_of_one_name(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 1)], image_end='.jpg', mask_end='_m.png')
    fill(tmp_path, FOUR, [mask(1, 0)], image_end='.png', mask_end='_n.png')
    cfg = run(tmp_path, '--image-suffix', '.jpg', '--mask-suffix', '_n.png')
    assert cfg.dataset.img_suffix == '.jpg'
    assert np.array_equal(label(cfg), mask(1, 0))


def test_images_and_masks_may_lie_in_one_folder(tmp_path):
    for name in FOUR:
        save(tmp_path / 'all' / f'{name}.jpg', image())
        save(tmp_path / 'all' / f'{name}_mask.png', mask(0, 1))
    cfg = run(tmp_path, images='all', masks='all')
    assert np.array_equal(label(cfg), mask(0, 1))


def test_images_of_several_types_are_all_used(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 1)], image_end='.jpg')
    fill(tmp_path, ['e', 'f', 'g', 'h'], [mask(0, 1)], image_end='.JPG')
    cfg = run(tmp_path)
    total = sum(
        len(DATASETS.build(cfg[f'{part}_dataloader'].dataset))
        for part in ('train', 'val', 'test')
    )
    assert total == 8


def test_files_without_a_partner_are_named_and_left_out(tmp_path, capsys):
    fill(tmp_path, FOUR, [mask(0, 1)])
    save(tmp_path / 'images' / 'lonely.png', image())
    save(tmp_path / 'masks' / 'stray.png', mask(0, 1))
    run(tmp_path)
    said = capsys.readouterr().out
    assert '1 files without mask: lonely.png' in said
    assert '1 files without image: stray.png' in said


def test_subfolders_split(tmp_path, capsys):
    names = ['training/1', 'training/2', 'valid/3', 'test/4']
    fill(tmp_path, names, [mask(0, 1)])
    run(tmp_path)
    assert names_of(tmp_path, 'train') == ['training/1', 'training/2']
    assert names_of(tmp_path, 'val') == ['valid/3']
    assert names_of(tmp_path, 'test') == ['test/4']
    assert (
        'Split: 2 train, 1 val, 1 test; by the subfolders.' in capsys.readouterr().out
    )


def test_lists_split_and_may_have_types_folders_blank_lines_and_a_bom(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 1)])
    lists = {'train': '\ufeffa.png\n\nimages/b.png\n', 'val': 'c\n'}
    for part, text in lists.items():
        (tmp_path / f'{part}.txt').write_text(text, encoding='utf-8')
    cfg = run(tmp_path)
    assert names_of(tmp_path, 'train') == ['a', 'b']
    assert cfg.test_dataloader.dataset == cfg.val_dataloader.dataset


def test_a_line_of_a_list_names_its_own_image_or_none(tmp_path):
    save_lists(tmp_path, train='my a\nmy b.png\n', val='images\\d.png\r\n')
    fill(tmp_path, ['my a', 'my b', 'my', 'd', 'img_1'], [mask(0, 1)])
    run(tmp_path)
    assert (tmp_path / 'my_data' / 'train.txt').read_text() == 'my a\nmy b\n'
    save_lists(tmp_path, train='img_10\n', val='d\n')  # img_10 has no mask
    with pytest.raises(SystemExit, match='img_10'):
        run(tmp_path, '--force')


def test_a_name_that_several_folders_have_is_not_guessed(tmp_path):
    fill(tmp_path, ['x/1', 'y/1', 'x/2', '3'], [mask(0, 1)])
    save_lists(tmp_path, train='1\nx/2\n', val='3\n')
    with pytest.raises(SystemExit, match=r'train\.txt names 1 images'):
        run(tmp_path)


def save_lists(root, **lists):
    for part, text in lists.items():
        (root / f'{part}.txt').write_text(text)


def test_a_short_training_reaches_its_full_rate(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 1)])
    warm = run(tmp_path, '--iterations', '10').param_scheduler[0]
    assert warm.end - warm.begin > 1


def test_a_folder_with_a_line_break_in_its_name_gives_a_config(tmp_path):
    fill(tmp_path / 'a\nb', FOUR, [mask(0, 1)])
    cfg = run(tmp_path / 'a\nb')
    assert label(cfg).shape == SIZE


def test_images_that_are_not_8_bit_colour_are_told(tmp_path, capsys):
    fill(tmp_path, FOUR, [mask(0, 1)])
    save(tmp_path / 'images' / 'a.png', image()[..., 0].astype(np.uint16))
    run(tmp_path)
    assert '1 bands of uint16, and the config reads it as 8-bit' in (
        capsys.readouterr().out
    )


def test_a_link_to_a_folder_above_is_not_followed_for_ever(tmp_path, capsys):
    fill(tmp_path, FOUR, [mask(0, 1)])
    (tmp_path / 'images' / 'up').symlink_to(tmp_path / 'images')
    run(tmp_path)
    assert 'Left out' not in capsys.readouterr().out


@pytest.mark.parametrize('name', ['a\nb', ' a'])
def test_names_that_a_list_cannot_hold_are_refused(tmp_path, name):
    fill(tmp_path, [*FOUR, name], [mask(0, 1)])
    with pytest.raises(SystemExit, match='a list cannot hold'):
        run(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_found_before_masks_are_read(
    tmp_path, capsys
):
    fill(tmp_path, FOUR, [mask(0, 1)])
    (tmp_path / 'taken').write_text('a file')
    with pytest.raises(SystemExit, match='`--out`: cannot write to'):
        run(tmp_path, '--out', str(tmp_path / 'taken' / 'my.py'))
    assert 'masks' not in capsys.readouterr().out


def test_a_missing_val_is_taken_from_train(tmp_path):
    fill(tmp_path, ['train/1', 'train/2', 'train/3', 'test/4'], [mask(0, 1)])
    run(tmp_path)
    assert len(names_of(tmp_path, 'train')) == 2
    assert len(names_of(tmp_path, 'val')) == 1
    assert names_of(tmp_path, 'test') == ['test/4']


@pytest.mark.parametrize(
    ('names', 'options', 'rule', 'group'),
    [
        ([f'p{i}/{j}' for i in range(5) for j in range(3)], [], 'by subfolder', 2),
        ([f'v{i}_{j}' for i in range(5) for j in range(3)], [], 'beginning [^_-]+', 2),
        ([f'x{i}{j}' for i in range(5) for j in range(3)], ['--groups', 'x.'], 'x.', 2),
    ],
)
def test_a_random_split_keeps_groups_whole_and_says_by_which_rule(
    tmp_path, capsys, names, options, rule, group
):
    fill(tmp_path, names, [mask(0, 1)])
    run(tmp_path, *options)
    found = [
        {name[:group] for name in names_of(tmp_path, part)}
        for part in ('train', 'val', 'test')
    ]
    assert sum(map(len, found)) == len(set.union(*found)) == 5
    said = capsys.readouterr().out
    assert '5 groups were kept whole' in said
    assert rule in said


def test_a_rule_that_matches_the_whole_name_leaves_every_image_on_its_own(tmp_path):
    fill(tmp_path, [f'v{i}_{j}' for i in range(2) for j in range(10)], [mask(0, 1)])
    run(tmp_path, '--groups', '.+')
    sizes = [len(names_of(tmp_path, part)) for part in ('train', 'val', 'test')]
    assert sizes == [14, 3, 3]


def raters(root):
    for name in FOUR:
        save(root / 'images' / f'{name}.png', image())
        save(root / 'masks' / 'ann' / f'{name}.png', mask(0, 1))
        save(root / 'masks' / 'bob' / f'{name}.png', mask(1, 0))


def test_training_uses_the_masks_of_all_annotators_and_tests_those_of_one(
    tmp_path, capsys
):
    raters(tmp_path)
    cfg = run(tmp_path)
    assert np.array_equal(label(cfg, part=0), mask(0, 1))
    assert np.array_equal(label(cfg, part=1), mask(1, 0))
    assert np.array_equal(label(cfg, 'test'), mask(0, 1))
    assert '2 annotators have masks: ann, bob.' in capsys.readouterr().out
    assert list(find_problems(cfg.train_dataloader.dataset)) == []


def test_one_annotator_can_be_chosen(tmp_path):
    raters(tmp_path)
    cfg = run(tmp_path, '--rater', 'bob')
    assert np.array_equal(label(cfg), mask(1, 0))


def test_two_classes_have_two_channels_or_one(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 255)])
    head = run(tmp_path).model.decode_head
    assert head.num_classes == 2
    assert 'out_channels' not in head
    cfg = run(tmp_path, '--force', '--one-channel')
    assert (cfg.model.decode_head.num_classes, cfg.model.decode_head.out_channels) == (
        2,
        1,
    )
    use_loss(cfg, 'jml')
    assert cfg.model.decode_head.loss_decode.losses[1].use_sigmoid


def broken(root):
    save(root / 'masks' / 'a.png', mask(0, 1, size=(8, 8)))


def soft(root):
    colours = rng.integers(0, 256, (20, 20, 3)).astype(np.uint8)
    save(root / 'images' / 'a.png', colours)
    save(root / 'masks' / 'a.png', colours)


@pytest.mark.parametrize(
    ('change', 'options', 'message'),
    [
        (broken, [], r'a.png is \(8, 8\), its image \(12, 16\)'),
        (soft, [], 'too many for classes: was it once a JPEG'),
        (None, ['--classes', 'one'], 'must name 2 classes, as the masks hold, got 1'),
        (None, ['--ignore', 'car'], r"must name some of .* got \['car'\]"),
        (None, ['--rater', 'bob'], '`--rater` must be a subfolder'),
        (None, ['--iterations', 1], '`--iterations` must be at least 2, got 1'),
        (None, ['--lists', 'nowhere'], 'no list train.txt in nowhere'),
        (None, ['--mask-suffix', '.gif'], "no name ends in '.gif'"),
        (None, ['--groups', 'z'], "'z' does not match a, b"),
        (None, ['--out', 'my.txt'], r'must be a Python file, \*.py'),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    tmp_path, change, options, message
):
    fill(tmp_path, FOUR, [mask(0, 1)])
    if change:
        change(tmp_path)
    with pytest.raises(SystemExit, match=f'error: (.|\n)*{message}'):
        run(tmp_path, *options)
    assert not (tmp_path / 'my.py').exists()


def test_masks_among_images_need_names_that_tell_them(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 1)])
    with pytest.raises(SystemExit, match='images and masks are both in'):
        run(tmp_path, masks='images')


def test_a_config_is_not_replaced_unless_forced(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 1)])
    (tmp_path / 'my.py').write_text('mine')
    with pytest.raises(SystemExit, match='already exists'):
        run(tmp_path)
    assert (tmp_path / 'my.py').read_text() == 'mine'


def test_nothing_is_written_among_the_images(tmp_path):
    fill(tmp_path, FOUR, [mask(0, 1)])
    with pytest.raises(SystemExit, match='must not be in'):
        run(tmp_path, '--out', tmp_path / 'images' / 'my.py')


def test_the_schedule_grows_with_the_images_within_bounds():
    assert [iterations(number) for number in (4, 367, 10**6)] == [1000, 4600, 40000]
    assert [batch_size(number) for number in (1, 5, 100)] == [2, 5, 8]


def test_crops_are_no_larger_than_the_images_but_for_tiny_ones():
    assert crop_size([(360, 480)]) == (352, 480)
    assert crop_size([(2048, 20)]) == (512, 32)


def test_many_and_large_images_have_a_wider_model_and_windows(tmp_path):
    sources = {part: [Source(part, 'm', '.png')] for part in ('train', 'val', 'test')}
    own = Own(
        command='c',
        images='i',
        lists='l',
        mask_suffix='.png',
        sources=sources,
        classes=['a', 'b', 'c'],
        palette=[(0, 0, 0)] * 3,
        from_one=False,
        sizes=[(64, 2000)],
        number=500,
    )
    (tmp_path / 'wide.py').write_text(config_text(own))
    cfg = Config.fromfile(tmp_path / 'wide.py')
    assert cfg.model.test_cfg.mode == 'slide'
    model = MODELS.build({**cfg.model, 'data_preprocessor': None}).eval()
    logits = model(torch.zeros(1, 3, 64, 96))  # at the size of the finest features
    assert logits.shape == (1, 3, 16, 24)
