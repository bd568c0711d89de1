"""Evaluate a checkpoint: `python tools/test.py CONFIG CHECKPOINT [--help]`."""

from mmseg_jml.cli.launch import run_test

if __name__ == '__main__':
    run_test()
