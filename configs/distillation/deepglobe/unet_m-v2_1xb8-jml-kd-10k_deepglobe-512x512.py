_base_ = [
    '../../_base_/models/unet_m-v2.py',
    '../../_base_/recipes/deepglobe.py',
    '../../_base_/losses/jml-kd.py',
    '../../_base_/teachers/deepglobe.py',
]
model = dict(
    type='DistillationEncoderDecoder',
    teacher={{_base_.teacher}},
    teacher_checkpoint={{_base_.teacher_checkpoint}},
    distill_losses={{_base_.distill_main}},
    auxiliary_distill_losses={{_base_.distill_aux}},
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(num_classes=6, loss_decode={{_base_.loss_main}}),
    auxiliary_head=dict(num_classes=6, loss_decode={{_base_.loss_aux}}),
    test_cfg={{_base_.test_window}},
)
