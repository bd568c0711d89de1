import itertools
import random

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmseg_jml.datasets import (
    Draw,
    SemiSupervisedDataset,
    branch_collate,
    check_dataset,
)
from mmseg_jml.datasets.report import inspect_split
from mmseg_jml.files import UnreadableError
from tests.datasets.semi_cases import (
    CLASSES,
    build,
    config,
    half_labelled,
    loader,
    plain,
    write_lists,
    write_pictures,
)


@pytest.fixture
def folder(tmp_path):
    return half_labelled(tmp_path / 'data')


def path_of(sample):
    """The picture's file name."""
    (data_sample, *_) = sample['data_samples'].values()
    return data_sample.img_path.rsplit('/', 1)[1]


def same(one, other):
    """Whether two batches hold the same pictures and label maps."""
    return all(
        len(one['inputs'][branch]) == len(other['inputs'][branch])
        and all(map(torch.equal, one['inputs'][branch], other['inputs'][branch]))
        and all(
            torch.equal(a.gt_sem_seg.data, b.gt_sem_seg.data)
            for a, b in zip(
                one['data_samples'][branch], other['data_samples'][branch], strict=True
            )
            if 'gt_sem_seg' in a
        )
        for branch in one['inputs'] | other['inputs']
    )


def batches(folder, number, **options):
    built = Runner.build_dataloader(loader(folder, **options), seed=3)
    return list(itertools.islice(built, number))


def test_labelled_pictures_come_before_unlabelled_ones(folder):
    dataset = build(folder)
    assert len(dataset) == 8
    assert [path_of(dataset[i]) for i in range(8)] == [f'{i:03}.png' for i in range(8)]
    assert ['weak' in dataset[i]['inputs'] for i in (0, 2, 3, 7)] == [
        *[False] * 2,
        *[True] * 2,
    ]
    assert dataset.metainfo['classes'] == CLASSES


@pytest.mark.parametrize('index', [-1, 8])
def test_an_index_outside_is_refused(folder, index):
    with pytest.raises(IndexError, match='`index` must be 0 to 7'):
        _ = build(folder)[index]


@pytest.mark.parametrize('index', [1, 5])
def test_a_draw_is_the_same_whatever_was_drawn_before(folder, index):
    dataset = build(folder)
    first = branch_collate([dataset[Draw(0, 1)], dataset[Draw(3, 2)]])
    for _ in range(3):
        _ = dataset[index], np.random.rand(), random.random(), torch.rand(1)
    again = branch_collate([dataset[Draw(0, 1)], dataset[Draw(3, 2)]])
    assert same(first, again)


def test_another_seed_is_another_augmentation(folder):
    dataset = build(folder)
    shapes = {
        dataset[Draw(3, seed)]['inputs']['weak'].sum().item() for seed in range(5)
    }
    assert len(shapes) == 5


def test_a_draw_moves_no_other_random_state(folder):
    dataset = build(folder)

    def following():
        return random.random(), np.random.rand(), torch.rand(1).item()

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    expected = following()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    _ = dataset[Draw(4, 9)]
    assert following() == expected


def test_two_data_sets_make_one(folder, tmp_path):
    other = write_pictures(tmp_path / 'other', 4)
    given = config(folder)
    given['unlabelled'] = {
        'type': 'BaseSegDataset',
        'data_root': str(other),
        'data_prefix': {'img_path': 'img'},
        'img_suffix': '.png',
        'pipeline': given['unlabelled']['pipeline'],
    }
    check_dataset(given, num_classes=len(CLASSES))
    del given['type']
    dataset = SemiSupervisedDataset(**given)
    assert len(dataset) == 3 + 4
    assert str(other) in dataset[6]['data_samples']['weak'].img_path
    assert not dataset[6]['data_samples']['weak'].has_label


# What goes wrong with lists and files.


def test_an_empty_list_is_refused_by_name(folder):
    write_lists(folder, [0], [])
    message = rf'no images \*\.png in .*{folder}/unlabelled\.txt'
    with pytest.raises(ValueError, match=f'`unlabelled`: {message}'):
        build(folder)
    with pytest.raises(ValueError, match=message):
        check_dataset(config(folder))


def test_a_missing_list_is_refused_by_name(folder):
    (folder / 'labelled.txt').unlink()
    with pytest.raises(ValueError, match=f'`labelled`: .*{folder}/labelled.txt'):
        build(folder)
    with pytest.raises(
        ValueError,
        match=r'labelled\.txt; `python -m mmseg_jml make-splits CONFIG` writes',
    ):
        check_dataset(config(folder))


def test_a_list_of_missing_pictures_is_refused_by_name_and_number(folder):
    write_lists(folder, [0], [1, *range(90, 190)])
    with pytest.raises(
        ValueError, match=r'unlabelled\.txt names 101 images, of'
    ) as caught:
        check_dataset(config(folder, masks=False))
    assert '100 are missing' in str(caught.value)
    assert f'{folder}/img/090.png' in str(caught.value)
    with pytest.raises(UnreadableError, match=r'image .*090\.png: '):
        _ = build(folder, masks=False)[2]


@pytest.mark.parametrize('content', [b'', b'no picture', None])
@pytest.mark.parametrize('index', [1, 4], ids=['labelled', 'unlabelled'])
def test_an_unreadable_picture_is_told_by_its_path(folder, index, content):
    path = folder / 'img' / f'{index:03}.png'
    path.write_bytes(path.read_bytes()[:20] if content is None else content)
    with pytest.raises(UnreadableError, match=f'image {path}'):
        _ = build(folder)[index]


def test_an_unreadable_picture_is_told_through_a_worker(folder):
    path = folder / 'img' / '005.png'
    path.write_bytes(b'')
    with pytest.raises(UnreadableError, match=f'image {path}'):
        batches(folder, 4, num_workers=1)


@pytest.mark.filterwarnings('error')
def test_a_picture_in_both_lists_brings_a_warning_with_their_number(folder):
    build(folder)
    write_lists(folder, [0, 1, 2], [1, 2, 3])
    with pytest.warns(UserWarning, match=r'^2 of 3 labelled images .*001\.png'):
        build(folder)
    report = inspect_split('train', config(folder))
    assert report.notes[0].startswith('2 images are in two of the datasets')


def test_a_check_counts_the_masks_of_both(folder):
    report = inspect_split('train', config(folder))
    assert (report.problems, len(report.paths)) == ([], 8)
    assert report.pixels.sum() == 8 * 24 * 36
    report = inspect_split('train', config(folder, masks=False))
    assert (report.problems, len(report.paths)) == ([], 8)
    assert report.pixels.sum() == 3 * 24 * 36


def test_an_unreadable_unlabelled_picture_is_a_problem_of_the_check(folder):
    path = folder / 'img' / '005.png'
    path.write_bytes(b'')
    message = f'image {path} is not a readable image'
    with pytest.raises(ValueError, match=message):
        check_dataset(config(folder, masks=False))
    ((kind, sentence),) = inspect_split('train', config(folder, masks=False)).problems
    assert kind == 'unreadable image'
    assert message in sentence


def test_masks_of_other_classes_are_refused(folder):
    given = config(folder)
    given['unlabelled']['metainfo'] = {'classes': ('tree', 'sky')}
    del given['type']
    with pytest.raises(
        ValueError, match=r'other classes .*: tree, sky and ground, cat'
    ):
        SemiSupervisedDataset(**given)


def test_labelled_pictures_without_masks_are_refused(folder):
    given = config(folder)
    given['labelled']['data_prefix'] = {'img_path': 'img'}
    del given['type']
    with pytest.raises(ValueError, match='`labelled` has no masks'):
        SemiSupervisedDataset(**given)


def test_something_else_than_a_data_set_is_refused(folder):
    with pytest.raises(TypeError, match=r'`unlabelled` must be .* got list'):
        SemiSupervisedDataset(labelled=plain(folder), unlabelled=[1])


# Batches.


def test_a_batch_has_a_list_for_each_branch(folder):
    for batch in batches(folder, 5):
        assert {k: len(v) for k, v in batch['inputs'].items()} == {
            'labelled': 4,
            'weak': 4,
            'strong': 4,
        }
        weak, strong = (
            [sample.img_path for sample in batch['data_samples'][branch]]
            for branch in ('weak', 'strong')
        )
        assert weak == strong
        for pictures in batch['inputs'].values():
            assert {(p.shape[0], p.dtype) for p in pictures} == {(3, torch.uint8)}


def test_two_workers_give_the_batches_of_none(folder):
    alone, two = (batches(folder, 6, num_workers=n) for n in (0, 2))
    assert all(map(same, alone, two))
    assert not same(alone[0], alone[1])


def test_a_batch_of_one_kind_is_refused(folder):
    dataset = build(folder)
    with pytest.raises(
        ValueError, match='this one with 1 images has no weak: use Semi'
    ):
        branch_collate([dataset[0]])
    with pytest.raises(ValueError, match='this one with 2 images has no labelled'):
        branch_collate([dataset[3], dataset[4]])


class Recorder(BaseModel):
    """A model that keeps the batches it is trained with."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def forward(self, inputs, data_samples, mode='loss'):
        self.seen.append({'inputs': inputs, 'data_samples': data_samples})
        return {'loss': self.weight * 0}


def train(folder, work_dir, **options):
    runner = Runner(
        model=Recorder(),
        work_dir=str(work_dir),
        train_dataloader=loader(folder, num_workers=1),
        train_cfg={'by_epoch': False, 'max_iters': 6},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}},
        default_hooks={
            'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False, 'interval': 4},
        },
        randomness={'seed': 5},
        default_scope='mmseg',
        experiment_name=work_dir.name,
        log_level='ERROR',
        **options,
    )
    runner.train()
    return runner.model.seen


def test_a_resumed_training_sees_the_batches_of_an_uninterrupted_one(folder, tmp_path):
    whole = train(folder, tmp_path / 'whole')
    checkpoint = str(tmp_path / 'whole' / 'iter_4.pth')
    resumed = train(folder, tmp_path / 'resumed', load_from=checkpoint, resume=True)
    assert (len(whole), len(resumed)) == (6, 2)
    assert all(map(same, whole[4:], resumed))
