# 0.25 CE + 0.75 of MMSegmentation's Tversky loss: for each picture, over all classes.
loss_decode = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='TverskyLoss', alpha=0.3, beta=0.7, loss_weight=0.75),
    ],
)
loss_main = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.125),
        dict(type='TverskyLoss', alpha=0.3, beta=0.7, loss_weight=0.75),
    ],
)
loss_aux = dict(type='SoftCrossEntropyLoss', loss_weight=0.125)
