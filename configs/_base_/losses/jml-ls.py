# 0.25 CE + 0.75 JML on labels smoothed at every pixel.
loss_decode = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='JaccardMetricLoss', loss_weight=0.75),
    ],
    label_smoothing=dict(type='LabelSmoothing', epsilon=0.1),
)
