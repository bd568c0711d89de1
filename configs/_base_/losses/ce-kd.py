# Cross-entropy, half to the label and half to a teacher (as KL, whose gradient is the
# same): the distillation baseline. The `distill_*` lists are the teacher's halves.
loss_decode = dict(type='SoftCrossEntropyLoss', loss_weight=0.5)
loss_main = dict(type='SoftCrossEntropyLoss', loss_weight=0.25)
loss_aux = dict(type='SoftCrossEntropyLoss', loss_weight=0.25)
distill_decode = [dict(type='KLDistillationLoss', loss_weight=0.5)]
distill_main = [dict(type='KLDistillationLoss', loss_weight=0.25)]
distill_aux = [dict(type='KLDistillationLoss', loss_weight=0.25)]
