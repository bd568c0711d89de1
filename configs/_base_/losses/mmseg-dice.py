# 0.25 CE + 0.75 of MMSegmentation's Dice loss: all classes in one sum for each picture,
# ignored pixels count as false positives. Softmax and plain sums must be asked for.
loss_decode = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='DiceLoss', use_sigmoid=False, naive_dice=True, loss_weight=0.75),
    ],
)
loss_main = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.125),
        dict(type='DiceLoss', use_sigmoid=False, naive_dice=True, loss_weight=0.75),
    ],
)
loss_aux = dict(type='SoftCrossEntropyLoss', loss_weight=0.125)
