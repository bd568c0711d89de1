import io
import sys
import threading
import time

import pytest

from mmseg_jml.datasets import parallel
from mmseg_jml.datasets.parallel import parallel_map


@pytest.mark.parametrize('workers', [1, 3])
def test_results_come_in_the_items_order(workers):
    assert parallel_map(str, range(50), workers=workers) == [str(i) for i in range(50)]


def test_nothing_gives_nothing(capsys):
    assert parallel_map(str, []) == []
    assert capsys.readouterr().err == ''


def test_items_are_worked_on_side_by_side():
    both = threading.Barrier(2, timeout=30)
    assert len(parallel_map(lambda _: both.wait(), range(2), workers=2)) == 2


def test_an_error_ends_the_map():
    done = []

    def work(item):
        time.sleep(0.01)
        done.append(item)
        return 1 // item

    with pytest.raises(ZeroDivisionError):
        parallel_map(work, [1, 0, *range(1, 99)], workers=1)
    assert len(done) < 50


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match='`workers` must be at least 1, got 0'):
        parallel_map(str, [1], workers=0)


def test_a_log_gets_the_last_line_whatever_the_pause(capsys):
    parallel_map(str, range(3), what='masks')
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('masks: 3/3, 0:00:00')


def test_a_log_gets_a_line_each_pause(capsys, monkeypatch):
    monkeypatch.setattr(parallel, 'SECONDS_IN_A_LOG', 0)
    parallel_map(str, range(3), what='masks')
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(',')[0] for line in lines] == [
        'masks: 1/3',
        'masks: 2/3',
        'masks: 3/3',
    ]


def test_a_screen_gets_one_line_that_is_written_over(monkeypatch):
    class Screen(io.StringIO):
        def isatty(self):
            return True

    screen = Screen()
    monkeypatch.setattr(sys, 'stderr', screen)
    monkeypatch.setattr(parallel, 'SECONDS_ON_SCREEN', 0)
    parallel_map(str, range(3))
    assert screen.getvalue().count('\r') == 3
    assert screen.getvalue().count('\n') == 1
