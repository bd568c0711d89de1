# MMSegmentation's focal loss in place of CE. It needs a GPU and mmcv's compiled
# operators: with several classes it fails on a CPU.
loss_decode = dict(type='FocalLoss', gamma=2.0, alpha=0.5)
loss_main = dict(type='FocalLoss', gamma=2.0, alpha=0.5, loss_weight=0.5)
loss_aux = dict(type='FocalLoss', gamma=2.0, alpha=0.5, loss_weight=0.5)
