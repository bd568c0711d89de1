_base_ = [
    '../_base_/models/deeplabv3plus_m-v2-w05-d16.py',
    '../_base_/datasets/synthetic_shapes.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/schedule_600.py',
    '../_base_/losses/jml-bls.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(num_classes=6, loss_decode={{_base_.loss_decode}}),
)
