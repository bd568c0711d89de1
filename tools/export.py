"""Save one model of a semi-supervised checkpoint: `python tools/export.py --help`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('export'))
