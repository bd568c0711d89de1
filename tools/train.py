"""Train a config: `python tools/train.py CONFIG [--help for the flags]`."""

from mmseg_jml.cli.launch import run_training

if __name__ == '__main__':
    run_training()
