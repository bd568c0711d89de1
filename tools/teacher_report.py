"""Measure a model as a teacher: `python tools/teacher_report.py CONFIG CHECKPOINT`."""

import sys

from mmseg_jml.__main__ import run

if __name__ == '__main__':
    sys.exit(run('teacher-report'))
