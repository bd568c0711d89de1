"""What the runs of a plan say together: tables, intervals and plots."""

from .report import write_report

__all__ = ['write_report']
