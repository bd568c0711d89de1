"""Predict pictures without labels: `python tools/predict.py --help`."""

import sys

from mmseg_jml.cli.predict import run_prediction

if __name__ == '__main__':
    sys.exit(run_prediction())
