# Cross-entropy on hard labels: the baseline.
loss_decode = dict(type='SoftCrossEntropyLoss')
