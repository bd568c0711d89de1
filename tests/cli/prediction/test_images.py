"""Which images a folder, a list or a path stands for."""

from pathlib import Path

import pytest

from mmseg_jml.cli.prediction.images import (
    OTHER_SUFFIXES,
    SUFFIXES,
    check_outputs,
    find_images,
)
from mmseg_jml.cli.prediction.output import Output


@pytest.fixture
def folder(tmp_path):
    """A folder `images` with a.jpg and below/b.PNG."""
    touch(tmp_path / 'images/a.jpg', tmp_path / 'images/below/b.PNG')
    return tmp_path / 'images'


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(images):
    return [name.as_posix() for name in images.names]


def find(source, out=Path('nowhere')):
    return find_images(source, out)


def test_linked_subfolders_are_followed(folder, tmp_path):
    touch(tmp_path / 'disk/deep/c.tif')
    (folder / 'linked').symlink_to(tmp_path / 'disk')
    (folder / 'd.png').symlink_to(folder / 'a.jpg')
    assert names(find(folder)) == [
        *('a.jpg', 'below/b.PNG', 'd.png', 'linked/deep/c.tif'),
    ]


def test_links_that_lead_in_a_circle_end_and_are_named(folder):
    (folder / 'below/up').symlink_to(folder)
    images = find(folder)
    assert names(images) == ['a.jpg', 'below/b.PNG']
    (note,) = images.notes
    assert 'below/up links to a folder that contains it' in note


def test_two_folders_that_link_to_each_other_end(folder, tmp_path):
    for one, other in (('x', 'y'), ('y', 'x')):
        touch(folder / one / f'{one}.png')
        (folder / one / 'link').symlink_to(folder / other)
    assert names(find(folder)) == [
        *('a.jpg', 'below/b.PNG', 'x/link/y.png', 'x/x.png'),
        *('y/link/x.png', 'y/y.png'),
    ]


def test_a_link_to_a_missing_image_is_an_image_that_fails(folder):
    (folder / 'c.png').symlink_to(folder / 'gone.png')
    assert 'c.png' in names(find(folder))


def test_hidden_files_are_no_images(folder):
    touch(folder / '._a.jpg')
    assert names(find(folder)) == ['a.jpg', 'below/b.PNG']


def test_images_of_other_formats_are_left_out_by_name(folder):
    touch(folder / 'below/scan.DCM', folder / 'notes.md')
    images = find(folder)
    assert list(images.left_out) == [Path('below/scan.DCM')]
    assert 'other format' in images.left_out[Path('below/scan.DCM')]
    assert images.notes == [f'1 files are not images: {folder}/notes.md']


def test_no_suffix_is_both_read_and_left_out():
    assert not set(SUFFIXES) & set(OTHER_SUFFIXES)


def test_a_single_image_may_have_any_suffix(tmp_path):
    touch(tmp_path / 'a.npy')
    images = find(tmp_path / 'a.npy')
    assert images.root / images.names[0] == tmp_path / 'a.npy'


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
@pytest.mark.parametrize('newline', ['\n', '\r\n'])
def test_a_list_names_images_relative_to_itself(folder, encoding, newline):
    lines = ['images/below/b.PNG', '', ' images/a.jpg ', 'images/a.jpg', '']
    path = folder.parent / 'list.txt'
    path.write_bytes(newline.join(lines).encode(encoding))
    images = find(path)
    assert images.root == folder.parent
    assert names(images) == ['images/a.jpg', 'images/below/b.PNG']


def test_a_list_may_name_images_elsewhere(folder, tmp_path):
    path = tmp_path / 'lists/list.txt'
    path.parent.mkdir()
    path.write_text(f'{folder}/a.jpg\n../images/below/b.PNG\n')
    images = find(path)
    assert images.root == folder
    assert names(images) == ['a.jpg', 'below/b.PNG']


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('\n\n', 'has no paths of images'),
        ('a\nbelow/b\n', 'No image that .* lists exists.* with its suffix'),
    ],
)
def test_a_list_without_images_is_refused(folder, text, words):
    path = folder / 'list.txt'
    path.write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        find(path)


@pytest.mark.parametrize('kind', ['png', 'npz', 'tif'])
def test_images_that_would_share_an_output_are_refused(folder, kind):
    touch(folder / 'below/a.jpg')  # in another folder: kept apart
    images, output = find(folder), Output(folder.parent / 'out', kind)
    check_outputs(images, [(name, output.files(name)) for name in images.names])
    touch(folder / 'a.png')
    images = find(folder)
    with pytest.raises(ValueError, match=r'a.jpg and a.png would both be written to'):
        check_outputs(images, [(name, output.files(name)) for name in images.names])


def test_an_output_never_takes_the_place_of_an_image(tmp_path):
    touch(tmp_path / 'prediction/a.png')
    (tmp_path / 'list.txt').write_text('prediction/a.png\na.png\n')
    touch(tmp_path / 'a.png')
    images, output = find(tmp_path / 'list.txt'), Output(tmp_path, 'png')
    with pytest.raises(ValueError, match='overwrite an image'):
        check_outputs(images, [(name, output.files(name)) for name in images.names])
