# The paper's own encoder, timm's resnet18d; its first map is the stem. Needs timm.
# Offline: model.backbone.backbone.pretrained=False.
_base_ = './deeplabv3_r18-d8.py'
model = dict(
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='optional_backbone',
        library='timm',
        backbone=dict(
            type='TIMMBackbone',
            model_name='resnet18d',
            output_stride=8,
            pretrained=True,
        ),
    ),
    decode_head=dict(in_index=4),
    auxiliary_head=dict(in_index=3),
)
