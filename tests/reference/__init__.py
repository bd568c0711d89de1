"""Slow float64 loops from the paper's definitions, to read beside it.

Nothing here imports torch or the package: what the tests compare must not share
a line with what it is compared to.
"""
