"""Check a config's data before training: `python tools/check_dataset.py CONFIG`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('check-dataset'))
