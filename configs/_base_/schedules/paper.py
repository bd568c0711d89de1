# The paper's optimizer: heads learn ten times as fast, no bias or norm decays.
_base_ = './iterations.py'
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
    constructor='NoFlatDecayConstructor',
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))),
)
