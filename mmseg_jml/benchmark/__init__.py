"""Trainings and tests of a plan, and what they say together."""
