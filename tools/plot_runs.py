"""Plot training curves of any work dirs: `python tools/plot_runs.py --help`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('plot-runs'))
