# A U-Net whose encoder, stem included, is ResNetV1c-50 at output stride 32. The
# auxiliary head reads stride 16: its index counts the stem.
_base_ = './r50-d8.py'
model = dict(
    backbone=dict(type='StemResNetV1c', strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1)),
    decode_head=dict(
        type='UNetHead',
        in_channels=[64, 256, 512, 1024, 2048],
        channels=64,
        dropout_ratio=0.1,
        norm_cfg={{_base_.norm_cfg}},
        align_corners=False,
    ),
    auxiliary_head=dict(in_index=3),
)
