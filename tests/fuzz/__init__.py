"""Random configurations of losses, labels and metrics against the float64 references.

`python -m tests.fuzz` is the long run, `test_fuzz.py` a short one. A subject is called
`subject(rng, note)`: it draws a case, writes what it drew into `note` and compares.
"""
