"""What a teacher is like: `python tools/teacher_report.py CONFIG CHECKPOINT`."""

import sys

from mmseg_jml.cli.teacher_report import run_teacher_report

if __name__ == '__main__':
    sys.exit(run_teacher_report())
