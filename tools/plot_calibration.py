"""Compare the calibration of runs: `python tools/plot_calibration.py --help`."""

import sys

from mmseg_jml.cli.plot_calibration import run_plot

if __name__ == '__main__':
    sys.exit(run_plot())
