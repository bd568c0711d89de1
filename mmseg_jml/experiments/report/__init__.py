"""The report on the runs of a plan: tables, intervals and plots."""

from .report import write_report

__all__ = ['write_report']
