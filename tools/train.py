"""Train a config: `python tools/train.py CONFIG` (`--help` lists the flags)."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('train'))
