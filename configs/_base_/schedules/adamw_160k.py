# For transformers and ConvNeXt: AdamW, linear decay, the rest as in paper_160k.
_base_ = './paper_160k.py'
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=6e-5, weight_decay=0.01),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 60, by_epoch=False, begin=0, end=1600),
    dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=1600, end=160000),
]
