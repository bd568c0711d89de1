# 0.25 CE + 0.75 JML on labels smoothed at the boundaries.
loss_decode = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='JaccardMetricLoss', loss_weight=0.75),
    ],
    label_smoothing=dict(type='BoundaryLabelSmoothing', kernel_size=3, epsilon=0.5),
)
