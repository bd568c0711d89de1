"""Check a config's data before training: `python tools/check_dataset.py CONFIG`."""

import sys

from mmseg_jml.cli.check_data import check_data

if __name__ == '__main__':
    sys.exit(check_data())
