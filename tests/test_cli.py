"""`python -m mmseg_jml`."""

import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmseg_jml import __version__, shipped
from mmseg_jml.__main__ import COMMANDS, RUN, USAGE, main
from tests.processes import ROOT, environment, run_python


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A shipped tree of three files in place of ours."""
    package = tmp_path / 'site' / 'mmseg_jml'
    for path in ('_base_/schedule.py', 'jml/camvid/ce.py', 'jml/camvid/jml.py'):
        file = package / '.configs' / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'# {path}\n')
    monkeypatch.setattr(shipped, 'PACKAGE', package)
    monkeypatch.chdir(tmp_path)
    return package / '.configs'


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit, match='0'):
        main(['--version'])
    assert capsys.readouterr().out == f'{__version__}\n'


@pytest.mark.parametrize('command', COMMANDS)
def test_each_command_has_help_of_its_own(command, capsys):
    with pytest.raises(SystemExit, match='0'):
        main([command, '--help'])
    assert capsys.readouterr().out.startswith(f'usage: python -m mmseg_jml {command} ')
    assert f'\n  {command} ' in USAGE


def test_a_command_is_needed():
    with pytest.raises(SystemExit, match='2'):
        main([])


def test_a_checkout_ships_its_own_configs():
    assert shipped.configs_dir() == ROOT / 'configs'


def test_no_configs_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, 'PACKAGE', tmp_path / 'mmseg_jml')
    with pytest.raises(FileNotFoundError, match='no configs were installed'):
        shipped.configs_dir()


def test_configs_lists_the_leaves(tree, capsys):
    assert main(['configs']) == 0
    assert capsys.readouterr().out.splitlines() == [
        'jml/camvid/ce.py',
        'jml/camvid/jml.py',
    ]


def test_configs_copies_the_whole_tree(tree, tmp_path, capsys):
    assert main(['configs', 'mine']) == 0
    copied = (path for path in (tmp_path / 'mine').rglob('*.py'))
    assert {p.relative_to(tmp_path / 'mine').as_posix() for p in copied} == {
        '_base_/schedule.py',
        'jml/camvid/ce.py',
        'jml/camvid/jml.py',
    }
    assert '3 files copied, 0 were already there' in capsys.readouterr().out


def test_configs_copies_what_is_missing(tree, tmp_path, capsys):
    main(['configs', 'mine'])
    (tmp_path / 'mine' / 'jml/camvid/ce.py').unlink()
    assert main(['configs', 'mine']) == 0
    assert '1 files copied, 2 were already there' in capsys.readouterr().out


def test_configs_overwrites_nothing(tree, tmp_path, capsys):
    changed = tmp_path / 'mine' / 'jml/camvid/ce.py'
    changed.parent.mkdir(parents=True)
    changed.write_text('# my own\n')
    assert main(['configs', 'mine']) == 1
    assert list((tmp_path / 'mine').rglob('*.py')) == [changed]
    assert changed.read_text() == '# my own\n'
    error = capsys.readouterr().err
    assert 'ce.py' in error
    assert '--force' in error


def test_configs_overwrites_by_force(tree, tmp_path):
    changed = tmp_path / 'mine' / 'jml/camvid/ce.py'
    changed.parent.mkdir(parents=True)
    changed.write_text('# my own\n')
    assert main(['configs', 'mine', '--force']) == 0
    assert changed.read_text() == '# jml/camvid/ce.py\n'


def test_configs_refuses_a_file(tree, tmp_path, capsys):
    (tmp_path / 'mine').write_text('')
    assert main(['configs', 'mine']) == 1
    assert '`DEST` must be a folder' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['jml/camvid/ce.py', 'configs/jml/camvid/ce.py'])
def test_a_shipped_config_is_found_by_its_path(tree, name):
    assert shipped.find_config(name) == tree / 'jml/camvid/ce.py'


def test_a_file_comes_before_a_shipped_config(tree, tmp_path):
    mine = tmp_path / 'jml' / 'camvid' / 'ce.py'
    mine.parent.mkdir(parents=True)
    mine.write_text('')
    assert shipped.find_config('jml/camvid/ce.py').resolve() == mine


@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('jml/camvid/jnl.py', 'jml/camvid/jml.py'),
        ('jml/camvid/quite_another_name_of_a_config.py', 'jml/camvid/ce.py'),
        ('zzz.py', 'run `python -m mmseg_jml configs` to list'),
    ],
)
def test_a_missing_config_is_answered_with_close_ones(tree, name, hint):
    with pytest.raises(FileNotFoundError) as error:
        shipped.find_config(name)
    assert name in str(error.value)
    assert hint in str(error.value)


def test_every_shipped_config_loads():
    from mmengine.config import Config

    for leaf in shipped.leaves():
        assert Config.fromfile(shipped.find_config(leaf)).model.type


def test_listing_configs_waits_for_no_framework(tmp_path):
    command = ('-X', 'importtime', '-m', 'mmseg_jml', 'configs')
    done = run_python(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    imported = {line.split('|')[-1].strip() for line in done.stderr.splitlines()}
    assert 'mmseg_jml.shipped' in imported
    assert imported.isdisjoint({'torch', 'numpy', 'mmseg', 'mmengine'})


def test_a_module_of_the_users_registers(tmp_path):
    mine = tmp_path / 'mine'
    mine.mkdir()
    (mine / '__init__.py').write_text('import mmseg_jml\n')
    (mine / '__main__.py').write_text(
        'from mmseg.registry import MODELS\n'
        "assert 'JaccardMetricLoss' in MODELS.module_dict\n"
    )
    done = run_python('-m', 'mine', cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('command', RUN)
def test_each_script_is_the_command_of_its_name(command, monkeypatch):
    script = ROOT / 'tools' / f'{command.replace("-", "_")}.py'
    if command == 'doctor':
        assert not script.exists()
        return
    monkeypatch.setattr('mmseg_jml.__main__.run', str.upper)
    with pytest.raises(SystemExit, match=command.upper()):
        runpy.run_path(str(script), run_name='__main__')


@pytest.fixture
def said(capsys):
    """What a wrong command line is answered with, on stderr."""

    def run(*argv):
        try:
            status = main(argv)
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    'command', [*COMMANDS, 'tools/train.py', 'tools/check_dataset.py']
)
def test_help_waits_for_no_framework(command, tmp_path):
    words = ('-m', 'mmseg_jml', command)
    if command.endswith('.py'):
        words = (ROOT / command,)
    done = run_python('-X', 'importtime', *words, '--help', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('usage: ')
    imported = {line.split('|')[-1].strip() for line in done.stderr.splitlines()}
    assert 'mmseg_jml' in imported
    assert imported.isdisjoint({'torch', 'mmseg', 'mmengine', 'mmcv', 'matplotlib'})
    noise = [line for line in done.stderr.splitlines() if 'import time' not in line]
    assert noise == []


@pytest.mark.parametrize(
    ('argv', 'hint'),
    [
        (['tain'], "unknown command 'tain' (did you mean 'train'?)"),
        (['plot_runs'], "command 'plot_runs' (did you mean 'plot-runs'?)"),
        (['train', 'a.py', '--work_dir=b'], " (did you mean '--work-dir'?)"),
        (['calibrate', 'a', 'b', '--split', 'vall'], " (did you mean 'val'?)"),
        (['plot-calibration', 'map'], " (did you mean 'maps'?)"),
        (
            ['plot-calibration', 'maps', 'a', 'b=c', '--otu', 'd'],
            "(did you mean '--out'?)",
        ),
    ],
)
def test_a_misspelled_word_is_answered_with_the_nearest(said, argv, hint):
    status, error = said(*argv)
    assert status == 2
    assert hint in error


def test_a_word_like_no_other_gets_no_suggestion(said):
    assert said('zzz') == (
        2,
        "error: unknown command 'zzz'\n"
        'Run `python -m mmseg_jml --help` to list the commands.\n',
    )


@pytest.mark.parametrize(
    ('command', 'hint'),
    [
        ('train', 'interrupted: `--resume` continues from the latest checkpoint'),
        ('doctor', 'interrupted\n'),
    ],
)
def test_an_interrupt_ends_in_one_line_and_status_130(said, monkeypatch, command, hint):
    def interrupt(argv, prog):
        raise KeyboardInterrupt

    module, function = RUN[command]
    monkeypatch.setattr(f'mmseg_jml.cli.{module}.{function}', interrupt)
    status, error = said(command)
    assert status == 130
    assert error.strip('\n').count('\n') == 0
    assert hint in error


def test_ctrl_c_while_the_frameworks_load_leaves_no_traceback(tmp_path):
    words = [sys.executable, '-m', 'mmseg_jml', 'train', 'no.py']
    child = subprocess.Popen(
        words, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    maps = Path('/proc', str(child.pid), 'maps')
    while 'libtorch' not in maps.read_text():  # PyTorch is the first to be loaded
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, error = child.communicate(timeout=60)
    assert child.returncode == 130
    assert error.strip().startswith('interrupted: ')
    assert 'Traceback' not in error
