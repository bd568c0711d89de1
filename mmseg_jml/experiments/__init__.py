"""Experiments: plans of trainings, the runs that carry them out, and their report."""
