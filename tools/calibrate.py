"""Post-hoc calibration: `python tools/calibrate.py CONFIG CHECKPOINT`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('calibrate'))
