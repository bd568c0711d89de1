# Cross-entropy to the label, and DIST on the main head's logits with its authors'
# weights, 1 and 1.
_base_ = './ce.py'
distill_decode = [dict(type='DISTLoss')]
distill_main = [dict(type='DISTLoss')]
distill_aux = None
