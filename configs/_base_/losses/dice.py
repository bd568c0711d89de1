# 0.25 CE + 0.75 of a Dice loss that leaves ignored and absent classes out.
loss_decode = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='JaccardMetricLoss', loss_weight=0.75, alpha=0.5, beta=0.5),
    ],
)
loss_main = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.125),
        dict(type='JaccardMetricLoss', loss_weight=0.75, alpha=0.5, beta=0.5),
    ],
)
loss_aux = dict(type='SoftCrossEntropyLoss', loss_weight=0.125)
