# Cross-entropy to the label, and CWD on the main head's logits with its authors'
# temperature of 4 and weight of 3.
_base_ = './ce.py'
distill_decode = [dict(type='CWDLoss')]
distill_main = [dict(type='CWDLoss')]
distill_aux = None
