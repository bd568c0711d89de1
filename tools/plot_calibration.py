"""Compare the calibration of runs: `python tools/plot_calibration.py --help`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('plot-calibration'))
