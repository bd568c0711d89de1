# Cross-entropy on hard labels: the baseline. `loss_decode` is for a model without an
# auxiliary head; with one, `loss_main` and `loss_aux` halve the cross-entropy.
loss_decode = dict(type='SoftCrossEntropyLoss')
loss_main = dict(type='SoftCrossEntropyLoss', loss_weight=0.5)
loss_aux = dict(type='SoftCrossEntropyLoss', loss_weight=0.5)
