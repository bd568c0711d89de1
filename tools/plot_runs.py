"""Training curves of any work dirs: `python tools/plot_runs.py --help`."""

import sys

from mmseg_jml.cli.plot_runs import run_plot_runs

if __name__ == '__main__':
    sys.exit(run_plot_runs())
