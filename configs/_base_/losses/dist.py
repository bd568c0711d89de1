# Cross-entropy and DIST, with the weights that its paper has.
_base_ = './ce.py'
distill_decode = [dict(type='DISTLoss')]
distill_main = [dict(type='DISTLoss')]
