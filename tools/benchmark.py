"""Train and test the cells of a plan: `python tools/benchmark.py PLAN.yml`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('benchmark'))
