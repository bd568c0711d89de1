"""Experiments: plans of training runs, the runs themselves, and their report."""
