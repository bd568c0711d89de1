"""Post-hoc calibration: `python tools/calibrate.py CONFIG CHECKPOINT [--help]`."""

import sys

from mmseg_jml.cli.calibrate import run_calibration

if __name__ == '__main__':
    sys.exit(run_calibration())
