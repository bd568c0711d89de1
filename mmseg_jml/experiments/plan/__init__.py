"""Which trainings to compare: plans, and the figures that the paper gives."""

from .plan import Cell, Plan, make_plan, read_plan

__all__ = ['Cell', 'Plan', 'make_plan', 'read_plan']
