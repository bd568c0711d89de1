"""Split a config's data for semi-supervision: `python tools/make_splits.py CONFIG`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('make-splits'))
