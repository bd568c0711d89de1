# CE-KD, equation 15 of the paper: half of the cross-entropy is to the label, half to
# the teacher. The half to the teacher is logged as KL, whose gradient is the same.
loss_decode = dict(type='SoftCrossEntropyLoss', loss_weight=0.5)
loss_main = dict(type='SoftCrossEntropyLoss', loss_weight=0.25)
loss_aux = dict(type='SoftCrossEntropyLoss', loss_weight=0.25)
distill_decode = [dict(type='KLDistillationLoss', loss_weight=0.5)]
distill_main = [dict(type='KLDistillationLoss', loss_weight=0.25)]
distill_aux = [dict(type='KLDistillationLoss', loss_weight=0.25)]
