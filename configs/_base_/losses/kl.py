# Hinton's distillation: cross-entropy to the label, and KL to the teacher on the main
# head.
_base_ = './ce.py'
distill_decode = [dict(type='KLDistillationLoss')]
distill_main = [dict(type='KLDistillationLoss')]
distill_aux = None
