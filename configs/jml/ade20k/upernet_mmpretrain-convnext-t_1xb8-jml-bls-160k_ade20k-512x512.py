_base_ = [
    '../../_base_/models/upernet_mmpretrain-convnext-t.py',
    '../../_base_/recipes/ade20k_adamw.py',
    '../../_base_/losses/jml-bls.py',
]
model = dict(
    data_preprocessor=dict(size={{_base_.crop_size}}),
    decode_head=dict(num_classes=150, loss_decode={{_base_.loss_main}}),
    auxiliary_head=dict(num_classes=150, loss_decode={{_base_.loss_aux}}),
    test_cfg={{_base_.test_window}},
)
