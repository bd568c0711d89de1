import pytest

from mmseg_jml.files import whole_file


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
