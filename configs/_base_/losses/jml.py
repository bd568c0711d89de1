# The paper's objective, 0.25 CE + 0.75 JML, on hard labels. An auxiliary head gets CE
# alone, half of its share.
loss_decode = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='JaccardMetricLoss', loss_weight=0.75),
    ],
)
loss_main = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.125),
        dict(type='JaccardMetricLoss', loss_weight=0.75),
    ],
)
loss_aux = dict(type='SoftCrossEntropyLoss', loss_weight=0.125)
