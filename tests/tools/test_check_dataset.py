"""tools/check_dataset.py: its verdict on sound and spoiled data, and what it writes."""

import csv

import numpy as np
import pytest
from PIL import Image

from mmseg_jml.cli.check_data import check_data
from tests.processes import ROOT, run_python

CONFIG = """
palette = [[10, 20, 30], [200, 0, 0], [0, 200, 0]]
def loader(split):
    return dict(dataset=dict(
        type='BaseSegDataset', data_root='data', pipeline=[],
        data_prefix=dict(img_path=f'img/{split}', seg_map_path=f'ann/{split}'),
        metainfo=dict(classes=('ground', 'cat', 'dog'), palette=palette)))
train_dataloader, val_dataloader = loader('train'), loader('val')
test_dataloader = val_dataloader
model = dict(decode_head=dict(num_classes=3))
"""
SPLITS = ('train', 'val', 'test')
PALETTE = np.array([[10, 20, 30], [200, 0, 0], [0, 200, 0]], np.uint8)
IDS = np.resize(np.array([0, 1, 2, 255], np.uint8), (8, 12))


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with `config.py` and sound data: 4 pictures to train, 2 to validate."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'config.py').write_text(CONFIG)
    for split, count in (('train', 4), ('val', 2)):
        for part in ('img', 'ann'):
            (tmp_path / 'data' / part / split).mkdir(parents=True)
        for index in range(count):
            picture = Image.fromarray(np.full((8, 12, 3), 40 * index, np.uint8))
            picture.save(tmp_path / f'data/img/{split}/{index}.jpg')
            write(tmp_path / f'data/ann/{split}/{index}.png', IDS)
    return tmp_path / 'data'


@pytest.fixture
def no_sheets(monkeypatch):
    """Drawing takes a second."""
    monkeypatch.setattr('mmseg_jml.cli.check_data._sheet', lambda report: b'')


def write(path, pixels):
    Image.fromarray(np.asarray(pixels).astype(np.uint8)).save(path)


def every_mask(data):
    return sorted(data.glob('ann/*/*.png'))


def lose_mask(data):
    (data / 'ann/val/0.png').unlink()


def lose_picture(data):
    (data / 'img/val/0.jpg').unlink()


def truncate_picture(data):
    path = data / 'img/val/0.jpg'
    noise = np.random.default_rng(0).integers(0, 256, (8, 12, 3))
    write(path, noise)
    path.write_bytes(path.read_bytes()[:-60])


def break_mask(data):
    (data / 'ann/val/0.png').write_bytes(b'no picture')


def crop_mask(data):
    write(data / 'ann/val/0.png', IDS[:-1])


def count_from_one(data):
    for path in every_mask(data):
        write(path, np.where(IDS == 255, 255, IDS + 1))


def add_ids(data):
    write(data / 'ann/val/0.png', IDS % 250 * 7)


def paint_black_and_white(data):
    for path in every_mask(data):
        write(path, np.where(IDS == 1, 255, 0))


def paint_colours(data):
    for path in every_mask(data):
        write(path, PALETTE[np.minimum(IDS, 2)])


def renumber(data):
    # As an image editor does: the same colours, by other numbers.
    for path in every_mask(data):
        image = Image.fromarray(np.minimum(IDS, 2)).convert('P')
        image.putpalette(PALETTE[[2, 0, 1]].ravel().tolist())
        image.save(path)


def ignore_all(data):
    for path in every_mask(data):
        write(path, np.full_like(IDS, 255))


def empty(data):
    for path in data.glob('*/val/*'):
        path.unlink()


def other_case(data):
    (data / 'img/val/0.jpg').rename(data / 'img/val/0.JPG')


def store_lossy(data):
    path = data / 'ann/val/0.png'
    Image.fromarray(np.minimum(IDS, 2)).save(path, 'JPEG')


def one_class(data):
    for path in every_mask(data):
        write(path, np.ones_like(IDS))


def store_fractions(data):
    path = data / 'ann/val/0.png'
    Image.fromarray(np.minimum(IDS, 2) / np.float32(2)).save(path, 'TIFF')


SPOILED = {
    other_case: ('left out', 'rename the files'),
    store_lossy: ('lossy mask', 'JPEG blurs ids'),
    one_class: ('one class alone', 'check that the masks'),
    store_fractions: ('not whole numbers', 'write whole numbers'),
    lose_mask: ('missing mask', 'convert the masks'),
    lose_picture: ('missing image', 'fetch the image'),
    truncate_picture: ('unreadable image', 'fetch it again'),
    break_mask: ('unreadable mask', 'fetch or convert it again'),
    crop_mask: ('sizes differ', 'nearest neighbours'),
    count_from_one: ('off by one', 'set `reduce_zero_label=True`'),
    add_ids: ('ids outside the classes', '255 is ignored'),
    paint_black_and_white: ('black and white', 'write 0 and 1'),
    paint_colours: ('colour mask', 'one channel'),
    renumber: ('renumbered palette', 'grey PNG'),
    ignore_all: ('nothing labelled', 'check `reduce_zero_label`'),
    empty: ('no images', 'check `data_root`'),
}


def test_sound_data_are_good(data, capsys):
    assert check_data(['config.py']) == 0
    report = capsys.readouterr().out
    assert report.endswith('good\n')
    assert 'BAD' not in report


@pytest.mark.parametrize('spoil', SPOILED, ids=lambda spoil: spoil.__name__)
def test_spoiled_data_are_bad_and_it_says_what_to_do(data, no_sheets, capsys, spoil):
    spoil(data)
    kind, advice = SPOILED[spoil]
    assert check_data(['config.py']) == 1
    report = capsys.readouterr().out
    lines = [line for line in report.splitlines() if f'BAD {kind} ' in line]
    assert lines
    assert all(advice in line for line in lines)
    assert report.splitlines()[-1].startswith('bad: ')
    assert 'val' in report.splitlines()[-1]


def test_float_masks_of_whole_numbers_are_good_and_described(data, capsys):
    for path in every_mask(data):
        Image.fromarray(IDS.astype(np.float32)).save(path.with_suffix('.tif'))
        path.unlink()
    options = [f'{split}_dataloader.dataset.seg_map_suffix=.tif' for split in SPLITS]
    assert check_data(['config.py', '--cfg-options', *options]) == 0
    found = capsys.readouterr().out
    assert '- note: 4 masks: TIFF, 1 band of 32 bits (float)' in found


def test_a_loss_that_cannot_run_is_bad(data, no_sheets, capsys):
    head = 'model.decode_head'
    options = [f'{head}.type=FCNHead', f'{head}.out_channels=1']
    assert check_data(['config.py', '--cfg-options', *options]) == 1
    found = capsys.readouterr().out
    assert '- BAD loss: `decode_head` has one channel, which CrossEntropy' in found
    assert found.endswith('bad: losses\n')


def test_only_the_spoiled_split_is_called_bad(data, no_sheets, capsys):
    lose_mask(data)
    check_data(['config.py'])
    assert capsys.readouterr().out.endswith('bad: val\n')


def test_another_number_of_classes_than_the_models_is_bad(data, no_sheets, capsys):
    options = ['--cfg-options', 'model.decode_head.num_classes=4']
    assert check_data(['config.py', *options]) == 1
    assert 'the model has 4 classes' in capsys.readouterr().out


def test_pictures_in_two_splits_are_bad(data, no_sheets, capsys):
    options = ['--cfg-options']
    for split in ('val', 'test'):
        key = f'{split}_dataloader.dataset.data_prefix'
        options += [f'{key}.img_path=img/train', f'{key}.seg_map_path=ann/train']
    assert check_data(['config.py', *options]) == 1
    assert '4 of 4 images are also in train' in capsys.readouterr().out


def test_a_config_without_a_model_is_enough(data, no_sheets):
    text = CONFIG.replace('model = dict(decode_head=dict(num_classes=3))', '')
    (data.parent / 'config.py').write_text(text)
    assert check_data(['config.py']) == 0


def test_a_split_that_is_another_is_read_once(data, no_sheets, capsys):
    check_data(['config.py'])
    captured = capsys.readouterr()
    assert 'val: 2 images' in captured.out
    assert 'test: ' not in captured.out + captured.err


def test_the_table_has_the_counts(data, no_sheets, capsys):
    check_data(['config.py', '--out-dir', 'out'])
    rows = [
        ['class', 'pixels', 'per cent', 'images'],
        ['ground', '96', '25.000', '4'],
        ['cat', '96', '25.000', '4'],
        ['dog', '96', '25.000', '4'],
        ['(ignored)', '96', '25.000', '4'],
    ]
    with open('out/train.csv', newline='') as file:
        assert list(csv.reader(file)) == rows
    printed = capsys.readouterr().out
    written = (data.parent / 'out/train.md').read_text()
    assert written in printed
    lines = [line for line in written.splitlines() if line.startswith('|')]
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    assert [cells[0], *cells[2:]] == rows
    assert len({len(line) for line in lines}) == 1


def test_the_screen_has_some_of_many_sentences_and_the_file_all(
    data, no_sheets, capsys
):
    for index in range(20):
        Image.new('RGB', (12, 8)).save(data / f'img/train/x{index}.jpg')
    check_data(['config.py', '--out-dir', 'out'])
    printed = capsys.readouterr().out
    assert printed.count('is missing') == 5
    assert '... 15 more' in printed
    assert (data.parent / 'out/train.md').read_text().count('is missing') == 20


def test_sheets_show_pictures_of_each_split(data):
    check_data(['config.py'])
    for split in ('train', 'val'):
        with Image.open(f'work_dirs/check/config/{split}.png') as sheet:
            assert min(sheet.size) > 100


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['nothing.py'], "no config 'nothing.py'"),
        (['config.py', '--workers', '0'], '`workers` must be at least 1'),
        (['empty.py'], 'none of `train_dataloader`, `val_dataloader`, `test_'),
    ],
)
def test_bad_input_is_answered_with_a_sentence(data, arguments, sentence):
    (data.parent / 'empty.py').write_text('')
    with pytest.raises(SystemExit) as end:
        check_data(arguments)
    assert str(end.value).startswith('error: ')
    assert sentence in str(end.value)


def test_the_script_ends_with_the_verdict(data):
    paint_colours(data)
    script = ROOT / 'tools' / 'check_dataset.py'
    done = run_python(script, 'config.py', cwd=data.parent)
    assert (done.returncode, 'bad: train, val' in done.stdout) == (1, True), done.stderr
    assert 'train: images: 4/4' in done.stderr
