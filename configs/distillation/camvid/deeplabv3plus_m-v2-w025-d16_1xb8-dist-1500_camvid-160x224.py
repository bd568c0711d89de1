_base_ = [
    '../../_base_/models/deeplabv3plus_m-v2-w025-d16.py',
    '../../_base_/datasets/camvid.py',
    '../../_base_/default_runtime.py',
    '../../_base_/schedules/schedule_1500.py',
    '../../_base_/losses/dist.py',
]
teacher = 'deeplabv3plus_m-v2-w05-d16_1xb8-jml-bls-3k_camvid-160x224'
model = dict(
    type='DistillationEncoderDecoder',
    teacher=f'jml/camvid/{teacher}.py',
    teacher_checkpoint=f'work_dirs/{teacher}/iter_3000.pth',
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(num_classes=11, loss_decode={{_base_.loss_decode}}),
    distill_losses={{_base_.distill_decode}},
)
