"""Write one model of a semi-supervised checkpoint: `python tools/export.py --help`."""

import sys

from mmseg_jml.cli.export import run_export

if __name__ == '__main__':
    sys.exit(run_export())
