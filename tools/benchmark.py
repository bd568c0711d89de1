"""Train and test what a plan compares: `python tools/benchmark.py PLAN.yml`."""

import sys

from mmseg_jml.cli.benchmark import run_benchmark

if __name__ == '__main__':
    sys.exit(run_benchmark())
