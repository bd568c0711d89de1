# The paper's objective, 0.25 CE + 0.75 JML, on hard labels.
loss_decode = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='JaccardMetricLoss', loss_weight=0.75),
    ],
)
