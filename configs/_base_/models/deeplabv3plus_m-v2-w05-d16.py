# Small enough to train from scratch on a CPU.
_base_ = './segmentor.py'
model = dict(
    backbone=dict(
        type='MobileNetV2',
        widen_factor=0.5,
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 2, 2),
        out_indices=(1, 2, 4, 6),
        norm_cfg={{_base_.norm_cfg}},
    ),
    decode_head=dict(
        type='DepthwiseSeparableASPPHead',
        in_channels=160,
        in_index=3,
        channels=64,
        dilations=(1, 3, 6, 9),
        c1_in_channels=16,
        c1_channels=16,
        dropout_ratio=0.1,
        norm_cfg={{_base_.norm_cfg}},
        align_corners=False,
    ),
)
