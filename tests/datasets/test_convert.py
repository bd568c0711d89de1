"""What all converters have in common."""

import numpy as np
import pytest
from PIL import Image

from mmseg_jml.datasets.convert import Conversion, convert_masks, finish, write_list


def read(path):
    with Image.open(path) as image:
        return np.array(image) + np.uint8(1)


def make(folder, name, *, size=(6, 4), mask=(6, 4)):
    """A picture and a black mask, (width, height) each; None leaves one out."""
    job = Conversion(
        folder / f'{name}_mask.png',
        folder / 'labels' / f'{name}.png',
        folder / f'{name}.jpg',
    )
    if size:
        Image.new('RGB', size).save(job.picture)
    if mask:
        Image.new('L', mask).save(job.mask)
    return job


def truncate(path):
    """Put half of a picture, of noise, in its place."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_every_mask_becomes_a_label_map(tmp_path):
    jobs = [make(tmp_path, name) for name in 'abc']
    assert convert_masks(jobs, read) == []
    for job in jobs:
        assert np.array(Image.open(job.label)).tolist() == [[1] * 6] * 4


def test_finished_label_maps_are_left_alone(tmp_path, capsys):
    jobs = [make(tmp_path, name) for name in 'abc']
    jobs[1].label.parent.mkdir()
    jobs[1].label.write_bytes(b'mine')
    assert convert_masks(jobs, read) == []
    assert jobs[1].label.read_bytes() == b'mine'
    assert '1 of 3 masks are already converted' in capsys.readouterr().out


def test_a_bad_file_is_named_and_the_rest_converted(tmp_path):
    good = [make(tmp_path, name) for name in 'ag']
    no_mask = make(tmp_path, 'b', mask=None)
    no_picture = make(tmp_path, 'c', size=None)
    other_size = make(tmp_path, 'd', mask=(4, 6))
    broken_mask, broken_picture = make(tmp_path, 'e'), make(tmp_path, 'f')
    truncate(broken_mask.mask)
    truncate(broken_picture.picture)
    bad = [no_mask, no_picture, other_size, broken_mask, broken_picture]
    found = convert_masks([good[0], *bad, good[1]], read)
    assert [job.label.exists() for job in good] == [True, True]
    assert not any(job.label.exists() for job in bad)
    assert found[0] == f'mask {no_mask.mask} is missing'
    assert found[1] == f'image {no_picture.picture} is missing'
    assert found[2] == f'mask {other_size.mask} is 4x6, but its image is 6x4'
    assert str(broken_mask.mask) in found[3]
    assert f'{broken_picture.picture} is not a readable image' in found[4]
    assert len(found) == 5


@pytest.mark.parametrize(('problems', 'status'), [([], 0), (['mask a is missing'], 1)])
def test_the_exit_status_says_whether_anything_failed(problems, status, capsys):
    assert finish(problems) == status
    assert ''.join(problems) in capsys.readouterr().out


def test_a_list_has_a_name_a_line(tmp_path):
    write_list(tmp_path / 'a' / 'b.txt', ['x', 'y'])
    assert (tmp_path / 'a' / 'b.txt').read_text() == 'x\ny\n'
