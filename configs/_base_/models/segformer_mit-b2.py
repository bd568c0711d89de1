# MiT-B2: of the family, the one of about ResNet-50's size (25 million parameters).
_base_ = './segmentor.py'
model = dict(
    pretrained='https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segformer/'
    'mit_b2_20220624-66e8bf70.pth',
    backbone=dict(
        type='MixVisionTransformer',
        embed_dims=64,
        num_layers=[3, 4, 6, 3],
        num_heads=[1, 2, 5, 8],
        patch_sizes=[7, 3, 3, 3],
        sr_ratios=[8, 4, 2, 1],
        out_indices=(0, 1, 2, 3),
        mlp_ratio=4,
        qkv_bias=True,
        drop_path_rate=0.1,
    ),
    decode_head=dict(
        type='SegformerHead',
        in_channels=[64, 128, 320, 512],
        in_index=[0, 1, 2, 3],
        channels=256,
        dropout_ratio=0.1,
        norm_cfg={{_base_.norm_cfg}},
        align_corners=False,
    ),
)
