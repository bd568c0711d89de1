"""Split a config's data for semi-supervision: `python tools/make_splits.py CONFIG`."""

import sys

from mmseg_jml.cli.make_splits import make_splits

if __name__ == '__main__':
    sys.exit(make_splits())
