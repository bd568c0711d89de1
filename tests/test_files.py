import hashlib

import pytest

from mmseg_jml.files import require_writable, sha256_of, walk_files, whole_file


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / 'new' / 'a.png'
    with whole_file(path) as temporary:
        temporary.write_text('half')
        assert not path.exists()
        assert temporary.suffix == '.png'
    assert path.read_text() == 'half'


def test_an_error_leaves_the_file_that_was_there_and_no_other(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('before')

    def write_half():
        with whole_file(path) as temporary:
            temporary.write_text('half')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert [p.name for p in tmp_path.iterdir()] == ['a.txt']
    assert path.read_text() == 'before'


def test_what_a_killed_process_left_is_written_over(tmp_path):
    path = tmp_path / 'a.txt'
    with whole_file(path) as left:
        left.write_text('half')
    left.write_text('half')
    with whole_file(path) as temporary:
        temporary.write_text('whole')
    assert [p.name for p in tmp_path.iterdir()] == ['a.txt']
    assert path.read_text() == 'whole'


@pytest.mark.parametrize('folder', ['new/deep', '.', 'file/deep'])
def test_asking_for_a_writable_folder_leaves_nothing(tmp_path, folder):
    (tmp_path / 'file').touch()
    if folder.startswith('file'):
        with pytest.raises(OSError, match=r'^`--out`: cannot write to .*file/deep: '):
            require_writable(tmp_path / folder, '`--out`')
    else:
        require_writable(tmp_path / folder, '`--out`')
    assert [path.name for path in tmp_path.rglob('*')] == ['file']


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    data = bytes(range(256)) * 9999
    (tmp_path / 'a').write_bytes(data)
    assert sha256_of(tmp_path / 'a') == hashlib.sha256(data).hexdigest()


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    assert list(walk_files(tmp_path / 'gone').unreadable) == [tmp_path / 'gone']
