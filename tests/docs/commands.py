"""The commands of the documentation, taken apart by bash and by their own parsers.

Bash runs a block with a recorder in place of each program, so that loops, variables and
quotes are its own; each recorded command is then read by the program's own parser, and
the configs that it names must be there.
"""

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import pytest
from mmengine.config import Config, ConfigDict

from mmseg_jml.__main__ import main
from mmseg_jml.shipped import find_config, leaves
from tests.processes import ROOT

RECORDER = """#!/bin/sh
{ printf '%s\\037' "${0##*/}" "$@"; printf '\\036'; } >> "$RECORD"
"""
EXTERNAL = ('csCreateTrainIdLabelImgs',)
# Where a command says CONFIG one of these has the settings that it changes.
STAND_INS = (
    'jml/camvid/deeplabv3plus_m-v2-w05-d16_1xb8-jml-bls-3k_camvid-160x224.py',
    'jml/voc12aug/deeplabv3_r18-d8_1xb8-jml-bls-40k_voc12aug-512x512.py',
)


def recorded(text: str, folder: Path) -> Iterator[list[str]]:
    """The commands that bash would run, with their arguments."""
    programs = folder / 'bin'
    programs.mkdir(parents=True)
    for name in (*CHECKS, *EXTERNAL):
        (programs / name).write_text(RECORDER)
        (programs / name).chmod(0o755)
    record = folder / 'record'
    record.touch()
    done = subprocess.run(
        ['/bin/bash', '-euc', text],
        cwd=ROOT,
        env={'PATH': f'{programs}:/usr/bin:/bin', 'RECORD': str(record)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for each in record.read_text().split('\036')[:-1]:
        yield each.split('\037')[:-1]


def check(command: Sequence[str], folder: Path) -> str:
    """Check one recorded command; the script (or target) that it runs."""
    program, *arguments = command
    if program in EXTERNAL:
        return program
    return CHECKS[program](arguments, folder)


def _python(arguments: Sequence[str], folder: Path) -> str:
    """A script of ours or `-m mmseg_jml`: its parser must take the arguments."""
    arguments = [each for each in arguments if each != '-u']
    if arguments[0] == '-c':
        exec(arguments[1], {})
        return 'python -c'
    if arguments[:2] == ['-m', 'mmseg_jml']:
        rest, run = arguments[2:], lambda: main(arguments[2:])
        script = f'mmseg_jml {rest[0]}'
    else:
        script, *rest = arguments
        run = _script(ROOT / script)
    with mock.patch.object(sys, 'argv', [script, *rest]), pytest.raises(_ParsedError):
        parse_only(run)
    _check_configs(rest)
    return script


def _script(path: Path) -> Callable[[], object]:
    folder = str(path.parent)  # where a script finds its neighbours

    def run() -> object:
        with mock.patch.object(sys, 'path', [folder, *sys.path]):
            return runpy.run_path(str(path), run_name='__main__')

    return run


class _ParsedError(BaseException):
    """The command line was understood; nothing is done about it."""


def parse_only(run: Callable[[], object]) -> None:
    """Run a program up to where its arguments are parsed."""
    original = argparse.ArgumentParser.parse_args

    def parse(self: argparse.ArgumentParser, *args: object, **options: object):
        found = original(self, *args, **options)
        if self.prog == 'python -m mmseg_jml':  # the rest is another parser's
            return found
        raise _ParsedError

    with mock.patch.object(argparse.ArgumentParser, 'parse_args', parse):
        run()


def _check_configs(arguments: Sequence[str]) -> None:
    """Configs, work dirs and settings of the shipped tree are there."""
    shipped = {Path(each).stem for each in leaves()}
    named = [each for each in arguments if '_1xb' in each]
    for each in named:
        if each.endswith('.py') and 'calibrated' not in each:
            find_config(each)
        stems = [part for part in re.split(r'[/=]|\.py', each) if '_1xb' in part]
        for stem in stems:
            assert re.sub('_(temperature|vector)$', '', stem) in shipped, stem
    keys = [each.split('=')[0] for each in arguments if re.match(r'[a-z_.\d]+=', each)]
    if '--cfg-options' in arguments:
        files = [each for each in named if each.endswith('.py')][:1] or STAND_INS
        configs = [Config.fromfile(find_config(each)) for each in files]
        lacking = [[key for key in keys if not _has(cfg, key)] for cfg in configs]
        assert [] in lacking, lacking


def _has(cfg: Config, key: str) -> bool:
    """Whether what holds the key, `a.b` of `a.b.c`, is there to be changed."""
    place = cfg
    for part in key.split('.')[:-1]:
        if isinstance(place, list) and part.isdigit() and int(part) < len(place):
            place = place[int(part)]
        elif isinstance(place, Config | ConfigDict) and part in place:
            place = place[part]
        else:
            return False
    return True


def _bash(arguments: Sequence[str], folder: Path) -> str:
    """A shell script of ours: run, with torchrun and srun recorded."""
    script, *rest = arguments
    words = ' '.join(f"'{each}'" for each in rest)
    (started,) = recorded(f'source {script} {words}', folder / 'script')
    check(started, folder)
    return script


def _launcher(arguments: Sequence[str], folder: Path) -> str:
    """Torchrun and srun: what follows their own flags is a Python script's."""
    names = [i for i, each in enumerate(arguments) if re.search(r'\.py$|^-m$', each)]
    return _python(arguments[names[0] :], folder)


def _pip(arguments: Sequence[str], folder: Path) -> str:
    """Extras and constraints are there; nothing is installed."""
    extras = {'onedl', 'openmmlab', 'tests', 'dev', 'docs'}
    for each in arguments:
        for found in re.findall(r'^\.\[(.*)\]$', each):
            assert set(found.split(',')) <= extras
    if '-c' in arguments:
        constraints = arguments[arguments.index('-c') + 1]
        # `doctor --constraints` writes the latter.
        assert (ROOT / constraints).is_file() or constraints == 'constraints.txt'
    return 'pip'


def _make(arguments: Sequence[str], folder: Path) -> str:
    """The target exists, and make knows how to reach it."""
    program = shutil.which('make', path=os.defpath + ':/usr/local/bin')
    assert program is not None
    command = [program, '-n', f'BIN={Path(sys.executable).parent}', *arguments]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return f'make {arguments[0]}'


CHECKS: dict[str, Callable[[Sequence[str], Path], str]] = {
    'python': _python,
    'bash': _bash,
    'torchrun': _launcher,
    'srun': _launcher,
    'pip': _pip,
    'make': _make,
}
