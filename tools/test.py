"""Evaluate a checkpoint: `python tools/test.py CONFIG CHECKPOINT`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('test'))
