# Cross-entropy and Hinton's KL to a teacher, both whole.
_base_ = './ce.py'
distill_decode = [dict(type='KLDistillationLoss')]
distill_main = [dict(type='KLDistillationLoss', loss_weight=0.5)]
distill_aux = [dict(type='KLDistillationLoss', loss_weight=0.5)]
