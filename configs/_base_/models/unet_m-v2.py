# MobileNetV2 at output stride 32; its first map has stride 2.
_base_ = './unet_r18.py'
model = dict(
    pretrained='mmcls://mobilenet_v2',
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        out_indices=(0, 1, 2, 4, 6),
        norm_cfg={{_base_.norm_cfg}},
    ),
    decode_head=dict(in_channels=[16, 24, 32, 96, 320]),
    auxiliary_head=dict(in_channels=96),
)
