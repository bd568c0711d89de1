# 0.25 CE + 0.75 of MMSegmentation's Lovasz-softmax, over the classes in the batch. It
# refuses its own default reduction.
loss_decode = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='LovaszLoss', reduction='none', loss_weight=0.75),
    ],
)
loss_main = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.125),
        dict(type='LovaszLoss', reduction='none', loss_weight=0.75),
    ],
)
loss_aux = dict(type='SoftCrossEntropyLoss', loss_weight=0.125)
