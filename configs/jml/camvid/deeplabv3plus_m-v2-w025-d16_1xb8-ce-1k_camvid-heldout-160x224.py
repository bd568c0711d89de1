_base_ = [
    '../../_base_/models/deeplabv3plus_m-v2-w025-d16.py',
    '../../_base_/datasets/camvid_heldout.py',
    '../../_base_/default_runtime.py',
    '../../_base_/schedules/schedule_1k.py',
    '../../_base_/losses/ce.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(num_classes=11, loss_decode={{_base_.loss_decode}}),
)
