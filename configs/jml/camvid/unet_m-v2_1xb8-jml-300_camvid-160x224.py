_base_ = [
    '../../_base_/models/unet_m-v2.py',
    '../../_base_/datasets/camvid.py',
    '../../_base_/default_runtime.py',
    '../../_base_/schedules/schedule_300.py',
    '../../_base_/losses/jml.py',
]
model = dict(
    pretrained=None,
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(num_classes=11, loss_decode={{_base_.loss_main}}),
    auxiliary_head=dict(num_classes=11, loss_decode={{_base_.loss_aux}}),
)
