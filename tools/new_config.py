"""Write a config for your own images: `python tools/new_config.py IMAGES MASKS`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('new-config'))
