"""Keeps pytest from importing the stub, as it would for doctests: that hides mmseg."""

collect_ignore = ['stub']
