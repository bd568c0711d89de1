# Cross-entropy on labels smoothed at the boundaries.
loss_decode = dict(
    type='SoftCrossEntropyLoss',
    label_smoothing=dict(type='BoundaryLabelSmoothing', kernel_size=3, epsilon=0.5),
)
