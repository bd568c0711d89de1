"""Predict images without labels: `python tools/predict.py --help`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('predict'))
