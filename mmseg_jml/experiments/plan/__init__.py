"""Plans of the trainings to compare, and the results in the paper."""

from .plan import Cell, Plan, make_plan, read_plan

__all__ = ['Cell', 'Plan', 'make_plan', 'read_plan']
