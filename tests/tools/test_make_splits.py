"""`tools/make_splits.py`: lists of labelled and unlabelled pictures of a config."""

import pytest
from mmengine.config import Config

from mmseg_jml.cli.make_splits import make_splits
from mmseg_jml.cli.preflight import check_data_sets, check_loaders
from tests.datasets.semi_cases import CLASSES, write_pictures
from tests.datasets.semi_cases import config as semi

NUMBER = 40
FRACTIONS = ('1_2', '1_4', '1_8', '1_16')


@pytest.fixture
def folder(tmp_path):
    return write_pictures(tmp_path / 'data', NUMBER)


@pytest.fixture
def config(folder, tmp_path):
    dataset = {
        'type': 'BaseSegDataset',
        'data_root': str(folder),
        'data_prefix': {'img_path': 'img', 'seg_map_path': 'ann'},
        'img_suffix': '.png',
        'metainfo': {'classes': CLASSES},
        'serialize_data': False,  # collects garbage: half a second a data set
    }
    path = tmp_path / 'supervised.py'
    Config({'train_dataloader': {'dataset': dataset}}).dump(path)
    return path


def run(*args):
    return make_splits([*map(str, args)])


def lists(folder, split):
    """The ids of the two lists of a split."""
    return tuple(
        (folder / 'splits' / split / f'{name}.txt').read_text().split()
        for name in ('labelled', 'unlabelled')
    )


def test_every_split_parts_the_pictures_and_holds_the_smaller_ones(config, folder):
    assert run(config) == 0
    larger = None
    for split, size in zip(FRACTIONS, (20, 10, 5, 3), strict=True):
        labelled, unlabelled = lists(folder, split)
        assert len(labelled) == size
        assert sorted(labelled + unlabelled) == [f'{i:03}' for i in range(NUMBER)]
        assert larger is None or set(labelled) < larger
        larger = set(labelled)


def test_a_training_reads_the_lists(config, folder):
    run(config)
    dataset = semi(folder)
    for kind in ('labelled', 'unlabelled'):
        dataset[kind]['ann_file'] = f'splits/1_8/{kind}.txt'
    loader = {
        'dataset': dataset,
        'batch_size': 2,
        'sampler': {'type': 'SemiSupervisedSampler'},
        'collate_fn': {'type': 'branch_collate'},
    }
    check_data_sets(Config({'train_dataloader': loader}))
    loader['batch_size'] = 3
    with pytest.raises(ValueError, match=r'`train_dataloader`: `batch_size` must be'):
        check_loaders(Config({'train_dataloader': loader}))


def test_the_report_compares_the_classes_shares(config, folder, capsys):
    run(config, '--fractions', '1/4', '--class-balanced', '--seed', 3)
    text = (folder / 'splits' / 'splits.md').read_text()
    assert text in capsys.readouterr().out
    assert text.startswith('Seed 3, class-balanced')
    lines = [line for line in text.splitlines() if '|' in line]
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    assert rows[0] == ['class, % of pixels', 'all', '1/4']
    assert rows[-1] == ['labelled images', str(NUMBER), '10']
    for column in (1, 2):
        assert sum(float(row[column]) for row in rows[2:-1]) == pytest.approx(100)


def test_the_same_seed_writes_the_same_lists(config, folder):
    run(config)
    before = lists(folder, '1_8')
    run(config)
    assert lists(folder, '1_8') == before


def test_lists_of_another_seed_are_kept_unless_forced(config, folder):
    run(config)
    before = lists(folder, '1_8')
    with pytest.raises(
        SystemExit, match=r'nothing was written: .* exists with other images'
    ):
        run(config, '--seed', 1)
    assert lists(folder, '1_8') == before
    run(config, '--seed', 1, '--force')
    assert lists(folder, '1_8') != before


def test_lists_are_written_elsewhere(config, folder, tmp_path):
    run(config, '--out-dir', tmp_path / 'lists')
    assert (tmp_path / 'lists' / '1_8' / 'labelled.txt').is_file()
    assert not (folder / 'splits').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--fractions', '1/x'], "`--fractions` must be of the form 1/8, got '1/x'"),
        (['--fractions', '1'], 'between 0 and 1'),
        (['--cfg-options', 'train_dataloader.dataset.img_suffix=.tif'], 'no images'),
        (['--cfg-options', 'train_dataloader=None'], 'no `train_dataloader`'),
    ],
)
def test_what_cannot_be_split_is_refused_in_a_sentence(
    config, folder, options, message
):
    with pytest.raises(SystemExit, match=f'error: .*{message}'):
        run(config, *options)
    assert not (folder / 'splits').exists()


def test_a_config_that_is_split_already_is_refused(folder, tmp_path):
    path = tmp_path / 'semi.json'  # a .py file is formatted for seconds
    Config({'train_dataloader': {'dataset': semi(folder)}}).dump(path)
    with pytest.raises(SystemExit, match=r'the config trains on 2. Use the config of'):
        run(path)


def test_pictures_that_are_no_files_are_refused(tmp_path):
    path = tmp_path / 'shapes.py'
    shapes = {'type': 'SyntheticShapesDataset', 'length': 4}
    Config({'train_dataloader': {'dataset': shapes}}).dump(path)
    with pytest.raises(SystemExit, match=r'the image synthetic-shapes:.* cannot be li'):
        run(path)


def folds(folder, number, split):
    return [
        (folder / 'folds' / f'fold{i}_{split}.txt').read_text().splitlines()
        for i in range(number)
    ]


def test_every_picture_is_validated_on_in_one_fold_and_trained_on_in_the_others(
    config, folder
):
    assert run(config, '--folds', 3) == 0
    everything = [f'{i:03}' for i in range(NUMBER)]
    train, val = folds(folder, 3, 'train'), folds(folder, 3, 'val')
    assert sorted(name for held in val for name in held) == everything
    assert sorted(map(len, val)) == [13, 13, 14]
    for trained, held in zip(train, val, strict=True):
        assert sorted(trained + held) == everything
        assert trained == sorted(trained)


def test_no_fold_parts_a_group(config, folder):
    run(config, '--folds', 3, '--groups', '[0-9]{2}')  # 000 to 009 are one group
    val = folds(folder, 3, 'val')
    held = [{name[:2] for name in names} for names in val]
    assert sorted(map(len, held)) == [1, 1, 2]
    assert set.union(*held) == {'00', '01', '02', '03'}
    text = (folder / 'folds' / 'folds.md').read_text()
    assert text.startswith(
        'Seed 0, 3 folds, 4 groups by `[0-9]{2}`, each kept together'
    )


def test_folds_are_those_of_their_seed(config, folder):
    run(config, '--folds', 2)
    before = folds(folder, 2, 'val')
    run(config, '--folds', 2)
    assert folds(folder, 2, 'val') == before
    with pytest.raises(SystemExit, match='nothing was written'):
        run(config, '--folds', 2, '--seed', 1)
    assert folds(folder, 2, 'val') == before


def test_a_fraction_labels_whole_groups(config, folder):
    run(config, '--fractions', '1/4', '1/3', '--groups', '[0-9]{2}')
    assert [len(part) for part in lists(folder, '1_4')] == [10, 30]
    labelled, unlabelled = lists(folder, '1_3')  # 14 pictures make two groups of ten
    assert [len(labelled), len(unlabelled)] == [20, 20]
    assert {name[:2] for name in labelled}.isdisjoint(n[:2] for n in unlabelled)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--folds', 1], '`--folds` must be at least 2, got 1'),
        (['--folds', 5, '--groups', '[0-9]{2}'], '5 parts need .*, but there are 4'),
        (['--folds', 2, '--groups', 'x'], "'x' does not match 000, 001"),
        (['--folds', 2, '--groups', '('], "a regular expression, got '\\('"),
        (['--folds', 2, '--class-balanced'], 'works with `--fractions`'),
        (['--fractions', '5/6', '--groups', '[0-9]{2}'], '5/6 needs all 4 groups'),
    ],
)
def test_folds_and_groups_that_cannot_be_are_refused_in_a_sentence(
    config, folder, options, message
):
    with pytest.raises(SystemExit, match=f'error: .*{message}'):
        run(config, *options)
    assert not (folder / 'splits').exists()
    assert not (folder / 'folds').exists()
