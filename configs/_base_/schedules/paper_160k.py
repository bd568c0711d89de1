_base_ = './paper.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=False, begin=0, end=1600),
    dict(type='PolyLR', power=0.9, eta_min=0.0, by_epoch=False, begin=1600, end=160000),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=160000, val_interval=16000)
default_hooks = dict(checkpoint=dict(interval=16000))
