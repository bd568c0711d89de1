_base_ = './paper.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=False, begin=0, end=400),
    dict(type='PolyLR', power=0.9, eta_min=0.0, by_epoch=False, begin=400, end=40000),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=40000, val_interval=4000)
default_hooks = dict(checkpoint=dict(interval=4000))
